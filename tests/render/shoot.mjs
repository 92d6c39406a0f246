// Takes a screenshot of each dashboard in the dark and in the light theme when Prometheus has enough samples.
//
// usage: node shoot.mjs PROMETHEUS_URL MINUTES FOLDER

import { join } from "node:path";
import { chromium } from "playwright-core";
import { preview } from "vite";
import { history } from "./history.mjs";

const WIDTH = 1600;
const DEADLINE_MS = 60_000;
const DASHBOARDS = [
  { uid: "marie-overview" },
  { uid: "marie-queue", "var-queue": "gen5_extract" },
  { uid: "marie-dags-slas" },
  { uid: "marie-exporter" },
];
const [prometheus, minutes, folder] = process.argv.slice(2);

await history(prometheus, minutes);
const end = String(Date.now());
const server = await preview({
  root: import.meta.dirname,
  logLevel: "warn",
  preview: { host: "127.0.0.1", port: 0, proxy: { "/api": prometheus } },
});
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  // Chromium refuses a sandbox for root, as in a container.
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"],
});
try {
  for (const dashboard of DASHBOARDS) {
    for (const theme of ["dark", "light"]) {
      await withRetries(() => shoot(dashboard, theme));
    }
  }
} finally {
  await browser.close();
  await server.close();
}

/** Retries, because a browser aborts its requests when a network interface is added or removed. */
async function withRetries(work, attempts = 3) {
  try {
    await work();
  } catch (error) {
    if (attempts === 1) {
      throw error;
    }
    await withRetries(work, attempts - 1);
  }
}

async function shoot(dashboard, theme) {
  // The page has the height of the dashboard.
  const page = await browser.newPage({ viewport: { width: WIDTH, height: 100 } });
  const broken = [];
  page.on("pageerror", (error) => broken.push(String(error)));
  await page.goto(`${server.resolvedUrls.local[0]}?${new URLSearchParams({ ...dashboard, theme, minutes, end })}`);
  await page.waitForSelector("body[data-done]", { state: "attached", timeout: DEADLINE_MS });
  // Icons and fonts load after the data.
  await page.waitForLoadState("networkidle");
  await page.evaluate(() => document.fonts.ready);
  const errors = [await page.getAttribute("body", "data-errors"), ...broken].filter((error) => error);
  if (errors.length > 0) {
    throw new Error(`${dashboard.uid}: ${errors.join("\n")}`);
  }
  const path = join(folder, `${dashboard.uid}-${theme}.png`);
  await page.screenshot({ path, fullPage: true, animations: "disabled" });
  await page.close();
}
