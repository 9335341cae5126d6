/**
 * What observes a server while it is measured. Each is as an operator would start it.
 *
 * @module
 */
import type { CommandLineEnsemble } from "./command_line.ts";
import { SERVER } from "./ensemble_peer.ts";

/** Begins to observe {@linkcode SERVER}, until the stack is disposed. */
type Observer = (
  ensemble: CommandLineEnsemble,
  { stack, httpPort }: { readonly stack: AsyncDisposableStack; readonly httpPort: number },
) => Promise<void>;

/** How often metrics are scraped, in ms. */
const SCRAPE_INTERVAL = 1_000;

/** All of them. */
export const OBSERVERS: readonly Observer[] = [
  async function trace(ensemble, { stack }) {
    const args = ["trace", `other@${SERVER}`, "--for", "10m", "--json"];
    void stack.use(await ensemble.spawn(args, '"took"')).drain();
  },

  async function top(ensemble, { stack }) {
    // Of one server it shows the actors, whose time in handlers is measured then.
    const args = ["top", "--interval", "1", SERVER];
    void stack.use(await ensemble.spawn(args, "\n")).drain();
  },

  async function page(ensemble, { stack }) {
    const observer = stack.use(
      await ensemble.spawn(["observer", "--listen", "127.0.0.1:0"], "\n"),
    );
    const url = observer.text.trim();
    const entered = await fetch(url, { redirect: "manual" });
    await entered.body?.cancel();
    const [cookie] = entered.headers.get("set-cookie")!.split(";");
    const location = new URL(entered.headers.get("location")!, url);
    const { body } = await fetch(new URL("events", location), { headers: { cookie: cookie! } });
    // It ends with the observer.
    void body!.pipeTo(new WritableStream()).catch(() => {});
  },

  function http(_ensemble, { stack, httpPort }) {
    const scrape = async () => {
      const response = await fetch(`http://127.0.0.1:${httpPort}/metrics`);
      await response.text();
    };
    let last = scrape();
    const timer = setInterval(() => last = scrape(), SCRAPE_INTERVAL);
    stack.defer(async () => {
      clearInterval(timer);
      await last;
    });
    return last;
  },
];
