// Waits until Prometheus has scraped the exporter for as long as the pictures look back.

const POLL_MS = 2_000;
/** Time for the demo's start and the first scrape. */
const PATIENCE_MS = 120_000;

export async function history(prometheus, minutes) {
  const query = `marie_up offset ${minutes}m == 1`;
  const deadline = Date.now() + minutes * 60_000 + PATIENCE_MS;
  while (Date.now() < deadline) {
    if (await knows(prometheus, query)) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`Prometheus at ${prometheus} has no answer to ${query}`);
}

async function knows(prometheus, query) {
  try {
    const response = await fetch(`${prometheus}/api/v1/query?${new URLSearchParams({ query })}`);
    const { data } = await response.json();
    return data.result.length > 0;
  } catch {
    // Prometheus does not listen yet.
    return false;
  }
}
