// The time range of the picture and Grafana's steps in it.

import { dateTime, rangeUtil, type TimeRange } from "@grafana/data";

/** Prometheus's scrape interval, a setting of Grafana's data source. */
export const SCRAPE_SECONDS = 15;

export function lastMinutes(minutes: number, end: number): TimeRange {
  const from = dateTime(end - minutes * 60_000);
  const to = dateTime(end);
  return { from, to, raw: { from: `now-${minutes}m`, to: "now" } };
}

/** Returns the step of a panel of this width: a round number, at least the panel's minimum interval. */
export function stepSeconds(range: TimeRange, pixels: number, least?: string): number {
  return rangeUtil.calculateInterval(range, pixels, least ?? `${SCRAPE_SECONDS}s`).intervalMs / 1000;
}

/** Returns `$__rate_interval`, which covers four scrapes. */
export function rateInterval(step: number): string {
  return `${Math.max(step + SCRAPE_SECONDS, 4 * SCRAPE_SECONDS)}s`;
}
