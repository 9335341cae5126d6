/**
 * Makes the screenshots of the observer's page: starts real ensembles, and lets Chromium show them.
 *
 * usage: `deno run -A scripts/screenshots.ts [<directory>]`, as root on Linux, which gives some of
 * the servers another host name. Takes four minutes. The pictures that the documentation shows are
 * written to `docs`, all of them as PNG to the directory, by default `dist/screenshots`.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { Page } from "npm:playwright-core@^1.65.1";
import { Chromium, type PageOptions } from "../tests/chromium.ts";
import { RunningEnsemble } from "../tests/e2e/running_ensemble.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SHOP = `${ROOT}scripts/screenshots/shop.ts`;
const PRICES = `${ROOT}scripts/screenshots/prices.ts`;
const FLEET = `${ROOT}scripts/screenshots/fleet.ts`;

/** The names of the two hosts. */
const HOSTS = ["alpha", "beta"] as const;

const WIDE = { width: 1440, height: 900 };
const NARROW = { width: 380, height: 800 };

/** How long the charts are filled before the first picture, in ms. */
const FILLED = 120_000;

const directory = Deno.args[0] ?? `${ROOT}dist/screenshots`;
await Deno.mkdir(directory, { recursive: true });
await using chromium = await Chromium.start();
await takeShop();
await takeFleet();

/** Some servers on two hosts, with a roll-out that stopped half-way, and troubles. */
async function takeShop(): Promise<void> {
  await using ensemble = new RunningEnsemble();
  await ensemble.lines("cookie");
  await ensemble.write("deno.json", "{}");
  const prices = await ensemble.write("prices.ts", await Deno.readTextFile(PRICES));
  const shop = await ensemble.write("shop.ts", await Deno.readTextFile(SHOP));
  const start = (host: string, command: string, ...args: string[]) =>
    ensemble.spawnProgram(
      ...["unshare", "--uts", "sh", "-c", `hostname ${host} && exec "$@"`, "sh"],
      ...ensemble.places.program,
      ...[command, "--listen", "tcp://127.0.0.1:0", ...args],
    );
  const registry = start(HOSTS[0], "registry");
  const [, address] = await registry.logged(/registry listens at .*(tcp:\S+)/);
  ensemble.places.environment.ENSEMBLE_REGISTRY = address!;
  const run = async (id: string, number: number, ...args: string[]) => {
    const role = id.replace(/\d+$/, "");
    const server = start(HOSTS[number % 2]!, "run", "--roles", role, id, shop, ...args);
    await server.logged(/is in the registry/);
    return server;
  };
  const ids = ["stock1", "stock2", "stock3", "checkout1", "checkout2", "checkout3"];
  await Promise.all(ids.map((id, index) => run(id, index)));
  const webs = ["web1", "web2", "web3", "web4"];
  await Promise.all(webs.map((id, index) => run(id, index, `${20 + 15 * index}`)));
  const lost = await run("search1", 1, "1");
  const url = await observe(ensemble);
  // The page has to be open, so that the servers are asked.
  const first = await chromium.open(url, { viewport: WIDE });
  await pause(FILLED / 2);
  await ensemble.write("prices.ts", await Deno.readTextFile(prices) + "// Newer.\n");
  await ensemble.lines("load", "checkout1", prices);
  await ensemble.lines("load", "checkout2", prices);
  await ensemble.lines("drain", "--no-wait", "web4");
  await ensemble.lines("shutdown", "-f", "shelf-2@stock1");
  await pause(FILLED / 2);
  await lost.kill();
  await first.locator('.graph a[aria-label^="search1, unreachable"]').waitFor();
  await first.close();
  await take(url, {
    name: "overview",
    viewport: { width: 1440, height: 960 },
    documented: "observer_overview",
  });
  await take(url, { name: "overview_dark", colorScheme: "dark" });
  await take(url, { name: "overview_narrow", viewport: NARROW, colorScheme: "dark" });
  await take(url, { name: "servers", view: "servers" });
  await take(url, { name: "servers_narrow", view: "servers", viewport: NARROW });
  await take(url, { name: "groups", view: "groups" });
  await take(url, { name: "versions", view: "versions" });
  await take(url, { name: "logs", view: "logs" });
  await take(url, { name: "timeline", view: "timeline" });
  const server = "servers/stock1";
  await take(url, {
    name: "server_dark",
    view: server,
    colorScheme: "dark",
    documented: "observer_server",
  });
  await take(url, { name: "actors", view: `${server}/actors` });
  await take(url, { name: "supervision", view: `${server}/supervision` });
  await take(url, { name: "server_narrow", view: server, viewport: NARROW });
}

/** 200 servers with 10,000 actors. */
async function takeFleet(): Promise<void> {
  await using ensemble = await RunningEnsemble.start();
  const args = ["run", "-A", `--config=${ROOT}deno.json`, FLEET];
  const processes = Array.from(
    { length: 8 },
    (_, index) => ensemble.spawnDeno(...args, `${index}`, "25", "45"),
  );
  await Promise.all(processes.map((process) => process.printed("started")));
  const url = await observe(ensemble);
  await take(url, { name: "fleet", wait: 30_000 });
  await take(url, { name: "fleet_dark", colorScheme: "dark" });
  await take(url, { name: "fleet_servers", view: "servers", colorScheme: "dark" });
}

/** Starts the observer, and returns its URL. */
async function observe(ensemble: RunningEnsemble): Promise<string> {
  const observer = ensemble.spawn("observer", "--listen", "127.0.0.1:0");
  return /http:\S+/.exec(await observer.printed("http"))![0];
}

interface Picture extends PageOptions {
  /** The name of its file. */
  readonly name: string;
  /** The view that it shows. Default: the overview. */
  readonly view?: string;
  /** The name of its file in the documentation, if it is there. */
  readonly documented?: string;
  /** How long the page is shown before, in ms. */
  readonly wait?: number;
}

async function take(url: string, picture: Picture): Promise<void> {
  const { name, view = "", documented, wait = 3000, ...options } = picture;
  const page = await chromium.open(url, { viewport: WIDE, ...options });
  await page.evaluate((view) => void (location.hash = `#/${view}`), view);
  await page.locator("main h1").waitFor({ state: "attached" });
  await pause(wait);
  await page.screenshot({ path: `${directory}/${name}.png` });
  if (documented) await writeWebp(page, `${ROOT}docs/${documented}.webp`);
  await page.close();
  console.log(name);
}

/** Writes a picture of the page in a form that takes a third of a PNG. */
async function writeWebp(page: Page, path: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality: 85 });
  await Deno.writeFile(path, Uint8Array.fromBase64(data));
}

function pause(duration: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, duration));
}
