
"use strict";
// Sorts and filters the rows that stand in the page. Without it the page holds the same rows and links.
(() => {
  const table = document.getElementById("results");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const headings = [...table.tHead.rows[0].cells];
  const filters = document.querySelector(".filters");
  const said = filters.querySelector("output");
  const chosen = ["corpus", "shots", "base", "view"];

  function isShown(row) {
    const system = filters.elements.system.value.trim().toLowerCase();
    if (system && !row.cells[0].dataset.value.toLowerCase().includes(system)) return false;
    if (!filters.elements.paper.checked && row.classList.contains("paper")) return false;
    return chosen.every((name) => {
      const value = filters.elements[name].value; // "=" before each, so that an empty name is not "all of them"
      return !value || value === `=${row.dataset[name]}`;
    });
  }

  function filter() {
    for (const row of rows) row.hidden = !isShown(row);
    const shown = rows.filter((row) => !row.hidden).length;
    said.textContent = shown === rows.length ? `${rows.length} rows` : `${shown} of ${rows.length} rows`;
  }

  function value(row, column) {
    const text = row.cells[column].dataset.value;
    const number = Number(text);
    return text !== "" && Number.isFinite(number) ? number : text;
  }

  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  }

  function sort(column) {
    const heading = headings[column];
    const before = heading.getAttribute("aria-sort");
    const first = heading.classList.contains("number") ? "descending" : "ascending";
    const order = before === null ? first : before === "ascending" ? "descending" : "ascending";
    headings.forEach((one) => one.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const found = rows.map((row, place) => ({ row, place, value: value(row, column) }));
    // What has no value comes last in either order; equal rows stay in the order of the page.
    found.sort((a, b) => (a.value === "") - (b.value === "") || sign * compare(a.value, b.value) || a.place - b.place);
    body.append(...found.map((one) => one.row));
  }

  function open() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target && target.closest("details");
    if (details) {
      details.open = true;
      target.focus();
      target.scrollIntoView();
    }
  }

  headings.forEach((heading, column) => heading.firstElementChild.addEventListener("click", () => sort(column)));
  filters.addEventListener("input", filter);
  filters.addEventListener("reset", () => setTimeout(filter));
  filters.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", open);
  filter(); // what a browser kept of an earlier visit
  open();
})();
