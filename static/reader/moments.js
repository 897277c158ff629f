// Times in the reader's own time zone and date format, with UTC on hover.

const language = document.documentElement.lang;
const own = navigator.languages.find((one) => one.startsWith(language)) ?? language;
const words = new Intl.DateTimeFormat(own, { dateStyle: "long", timeStyle: "short" });

for (const moment of document.querySelectorAll("time[datetime]")) {
  moment.title = moment.textContent;
  moment.textContent = words.format(new Date(moment.dateTime));
}
