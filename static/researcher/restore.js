// Uploads the archive of a study, with a progress bar.

import { Sending } from "./sending.js";

const form = document.querySelector("form[data-restore]");
const sending = new Sending(form);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  sending.begin();
  try {
    await sending.send(new FormData(form));
  } catch (error) {
    sending.complain(error.message);
  }
});
