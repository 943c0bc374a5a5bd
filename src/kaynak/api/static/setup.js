"use strict";

const form = document.getElementById("form");
const said = document.getElementById("said");
const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const fields = Object.fromEntries(new FormData(form));
  const answer = await fetch("/v1/auth/setup", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Kaynak-Request": "1" },
    body: JSON.stringify({ ...fields, token, cookie: true }),
  });
  if (answer.ok) {
    form.remove();
    said.textContent = "Done: you are signed in.";
    return;
  }
  const problem = await answer.json();
  said.textContent = [problem.detail, problem.hint].filter(Boolean).join(" ");
});
