"use strict";
document.getElementById("language").addEventListener("click", () => {
  const root = document.documentElement;
  const en = root.dataset.show === "zh";
  root.dataset.show = en ? "en" : "zh";
  root.lang = en ? "en" : "zh-CN";
});
