// Shows the figures for the selected rule; all of them are on the page.

const choice = document.querySelector("[data-rules]");
if (choice) {
  choice.hidden = false;
  choice.addEventListener("change", ({ target }) => {
    for (const part of document.querySelectorAll("[data-rule]")) part.hidden = part.dataset.rule !== target.value;
  });
}
