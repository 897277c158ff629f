// One question about a radiograph: real or synthetic, and how certain. One press answers.

export class Questions {
  constructor(room, answers) {
    this.answers = answers;
  }

  // The reader's answer to a trial, and when it was given.
  async ask() {
    const { dataset, at } = await this.answers.chosen();
    return { said: { answer: dataset.answer, certainty: dataset.certainty || null }, at };
  }
}
