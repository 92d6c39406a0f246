// The time range that is drawn, and the steps that Grafana takes through it.

import { dateTime, rangeUtil, type TimeRange } from "@grafana/data";

/** Prometheus' scrape interval, as it is set on the data source in Grafana. */
export const SCRAPE_SECONDS = 15;

export function lastMinutes(minutes: number, end: number): TimeRange {
  const from = dateTime(end - minutes * 60_000);
  const to = dateTime(end);
  return { from, to, raw: { from: `now-${minutes}m`, to: "now" } };
}

/** The step of a panel that is as wide: a nice one, and no shorter than its own least interval. */
export function stepSeconds(range: TimeRange, pixels: number, least?: string): number {
  return rangeUtil.calculateInterval(range, pixels, least ?? `${SCRAPE_SECONDS}s`).intervalMs / 1000;
}

/** `$__rate_interval`: long enough for four scrapes. */
export function rateInterval(step: number): string {
  return `${Math.max(step + SCRAPE_SECONDS, 4 * SCRAPE_SECONDS)}s`;
}
