// One question about a radiograph: real or synthetic, and how certain. One press answers.

export class Questions {
  constructor(room, answers) {
    this.answers = answers;
  }

  // What the reader says of a trial, and when.
  async ask() {
    const { dataset, at } = await this.answers.chosen();
    return { said: { answer: dataset.answer, certainty: dataset.certainty || null }, at };
  }
}
