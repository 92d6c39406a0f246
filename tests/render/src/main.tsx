// Draws the dashboard in the address: ?uid=marie-queue&theme=dark&minutes=20&end=UNIX_TIME_IN_MS, with &var-queue=NAME
// for one queue. Sets `data-done` on the body when every panel has its data, and `data-errors` to the errors.

import { createTheme, ThemeContext } from "@grafana/data";
import { GlobalStyles, PortalContainer } from "@grafana/ui";
import "@fontsource/inter/400.css";
import "@fontsource/inter/500.css";
import "uplot/dist/uPlot.min.css";
import "./page.css";
import { createRoot } from "react-dom/client";
import { marks } from "./annotations";
import { dashboard } from "./dashboard";
import { Page } from "./page";
import { lastMinutes } from "./range";
import { values } from "./variables";

async function main(root: HTMLElement) {
  const address = new URLSearchParams(location.search);
  const drawn = dashboard(address.get("uid") ?? "marie-overview");
  const theme = createTheme({ colors: { mode: address.get("theme") === "light" ? "light" : "dark" } });
  const range = lastMinutes(Number(address.get("minutes") ?? 20), Number(address.get("end") ?? Date.now()));
  const known = values(drawn.templating.list, address);
  const found = await marks(drawn.annotations.list, range, known);

  const waiting = new Set(drawn.panels.filter(({ type }) => type !== "row").map(({ id }) => id));
  const errors: string[] = [];
  const onDone = (panel: { id: number; title: string }, error?: unknown) => {
    if (error) {
      errors.push(`${panel.title}: ${error}`);
    }
    waiting.delete(panel.id);
    if (waiting.size === 0) {
      finish(errors);
    }
  };
  createRoot(root).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <Page dashboard={drawn} width={innerWidth} range={range} values={known} marks={found} onDone={onDone} />
      <PortalContainer />
    </ThemeContext.Provider>,
  );
}

function finish(errors: string[]) {
  document.body.dataset.errors = errors.join("\n");
  document.body.dataset.done = "true";
}

main(document.getElementById("page")!).catch((error: unknown) => finish([String(error)]));
