import assert from "node:assert/strict";
import { barriers, CHROMIUM, Chromium } from "../chromium.ts";
import { testWith } from "../requirements.ts";
import { CTRL_C, Terminal } from "../terminal.ts";
import { evaluate, go, MAIN, Observed, shows } from "./observed_page.ts";
import { RunningEnsemble } from "./running_ensemble.ts";

testWith([CHROMIUM], {
  name: "the observer's page shows servers, and one that is killed",
  async fn() {
    await using observed = await Observed.start(["web1", "web2"]);
    const page = await observed.open();
    const node = (id: string) => page.locator(`.graph a[href="#/servers/${id}"]`);
    for (const id of ["web1", "web2"]) {
      await shows(page, ".graph a", id);
      assert.match(
        await node(id).getAttribute("aria-label") ?? "",
        new RegExp(`^${id}, up, web, `),
      );
    }
    // One that comes later.
    const late = await observed.ensemble.startServer("job1", ["--roles", "job"], MAIN);
    await page.locator('.graph a[aria-label^="job1, up, job, "]').waitFor();
    await shows(page, ".tile", /Servers\s*4 up/);
    await late.kill();
    await page.locator(
      '.graph a[aria-label^="job1, unreachable"], .graph a[aria-label^="job1, gone"]',
    )
      .waitFor();
    await shows(page, ".concern", "job1");
    await go(page, "servers");
    await shows(page, "tbody tr", /job1\s*[✕○]\s*(unreachable|gone)/);
    await shows(page, "tbody tr", /web1\s*●\s*up/);
    await go(page, "timeline");
    await shows(page, ".timeline li", /job1\s*(unreachable|gone|left)/);
    assert.deepEqual(observed.chromium.errors, []);
  },
});

testWith([CHROMIUM], {
  name: "the observer's page shows which servers run which version of a module",
  async fn() {
    await using observed = await Observed.start(["web1", "web2"]);
    const { ensemble } = observed;
    const page = await observed.open("versions");
    const load = async (text: string, ...options: string[]) => {
      const file = await ensemble.write("greeting.js", text);
      const lines = await ensemble.lines("load", ...options, file);
      return lines.findLast((line) => /[0-9a-f]{64}/.test(line))!.match(/[0-9a-f]{64}/)![0];
    };
    const first = await load(`export const greeting = "first";`, "--role", "web");
    await shows(page, ".module", "one version on 2 servers");
    await shows(page, ".version", first.slice(0, 10));
    const second = await load(`export const greeting = "second";`, "web1");
    await shows(page, ".module", "2 versions on 2 servers");
    await shows(page, ".version", new RegExp(`${second.slice(0, 10)}\\s*1 server[^s].*web1`, "s"));
    await shows(page, ".version", new RegExp(`${first.slice(0, 10)}\\s*1 server[^s].*web2`, "s"));
    await go(page, "servers/web1/code");
    await shows(page, "td code", second.slice(0, 10));
    assert.deepEqual(observed.chromium.errors, []);
  },
});

testWith([CHROMIUM], {
  name: "the observer's page shows a mailbox that grows, and log records as text",
  async fn() {
    await using observed = await Observed.start(["web1"]);
    const { ensemble } = observed;
    const page = await observed.open("servers/web1");
    await shows(page, "h1", "web1");
    await ensemble.lines("call", "tester@web1", "flood", '{"count":4321}');
    await shows(page, ".bars li", /stuck\s*4,321/);
    await go(page, "servers/web1/actors");
    await shows(page, "tbody tr", /stuck.*4,321/s);
    await go(page, "overview");
    await shows(page, ".concern", /web1\s*4,321 messages wait for stuck/);
    await go(page, "logs");
    const markup = `<img src="x" onerror="document.title='broken'"> late`;
    await ensemble.lines("call", "tester@web1", "fail", JSON.stringify({ text: markup }));
    await shows(page, ".log-record", markup);
    assert.equal(await page.locator(".log-record img").count(), 0);
    assert.match(await page.title(), /^Logs/);
    await go(page, "servers/web1/logs");
    await shows(page, ".log-record", "late");
    assert.deepEqual(observed.chromium.errors, []);
  },
});

testWith([CHROMIUM], {
  name: "the observer's page can be used with the keyboard",
  async fn() {
    await using observed = await Observed.start(["web1", "web2"]);
    const page = await observed.open();
    await shows(page, ".graph a", "web2");
    const focused = () => evaluate<string>(page, "document.activeElement.textContent.trim()");
    await page.keyboard.press("?");
    await shows(page, "dialog", "Keys");
    await page.keyboard.press("Escape");
    await page.locator("dialog").waitFor({ state: "hidden" });
    await page.keyboard.press("2");
    await shows(page, "h1", "Servers");
    await shows(page, "tbody tr", "web2");
    assert.equal(await focused(), "Servers");
    await page.keyboard.press("/");
    await page.keyboard.type("web");
    await shows(page, ".view-head", "2 of 3 servers");
    await page.keyboard.press("Tab");
    await page.locator("h1").focus();
    await page.keyboard.press("ArrowDown");
    assert.equal(await focused(), "web1");
    await page.keyboard.press("ArrowDown");
    assert.equal(await focused(), "web2");
    await page.keyboard.press("Enter");
    await shows(page, "h1", "web2");
    await page.keyboard.press("]");
    await shows(page, ".tabs a[aria-current]", "Actors");
    await shows(page, "tbody tr", "stuck");
    await page.keyboard.press("ArrowDown");
    assert.ok(await evaluate(page, 'document.activeElement.matches("tbody th")'));
    await page.keyboard.press("Escape");
    await shows(page, "h1", "Servers");
    const theme = () => evaluate<string>(page, "document.documentElement.dataset.theme");
    await page.keyboard.press("t");
    assert.equal(await theme(), "light");
    await page.keyboard.press("t");
    assert.equal(await theme(), "dark");
    assert.deepEqual(observed.chromium.errors, []);
  },
});

testWith([CHROMIUM], {
  name:
    "a button of the observer's page asks in the terminal, and the page says when that has ended",
  async fn() {
    await using ensemble = await RunningEnsemble.start();
    await ensemble.startServer("web1", [], MAIN);
    await using terminal = new Terminal(ensemble.places, [
      ...ensemble.places.program,
      ...["observer", "--listen", "127.0.0.1:0", "--allow-actions"],
    ]);
    await using chromium = await Chromium.start();
    const page = await chromium.open(await terminal.find(/http:\S+/));
    await go(page, "servers/web1/actors");
    const shutDown = page.getByRole("button", { name: "Shut tester down" });
    await shutDown.click();
    await shows(page, ".outcome", "Confirm it in the terminal");
    await terminal.shows("shut down the actor tester");
    terminal.type("n\r");
    await terminal.shows("do it? No");
    await shows(page, ".outcome-declined", "declined");
    await shutDown.click();
    await terminal.shows("shut down the actor tester");
    terminal.type("y\r");
    await terminal.shows("do it? Yes");
    await shutDown.waitFor({ state: "detached" });
    await go(page, "servers/web1/logs");
    await page.getByRole("button", { name: "Set the log level of web1 to debug" }).click();
    await terminal.shows("log level");
    terminal.type("y\r");
    await page.locator(".outcome-done").waitFor();
    await shows(page, ".hint", "logs debug and up");
    assert.deepEqual(chromium.errors, []);
    terminal.type(CTRL_C);
    await shows(page, "[role=alert]", "The observer does not answer");
    await shows(page, ".link", "no connection");
  },
});

testWith([CHROMIUM], {
  name: "the observer's page is dark where the system is, and fits on a narrow screen",
  async fn() {
    await using observed = await Observed.start(["web1"]);
    const viewport = { width: 380, height: 800 };
    const page = await observed.open("", { colorScheme: "dark", viewport });
    await shows(page, ".graph a", "web1");
    const background = "getComputedStyle(document.documentElement).backgroundColor";
    assert.equal(await evaluate(page, background), "rgb(15, 19, 24)");
    assert.deepEqual(await barriers(page), []);
    for (const view of ["overview", "servers", "servers/web1", "servers/web1/actors", "versions"]) {
      await go(page, view);
      const width = await evaluate<number>(page, "document.documentElement.scrollWidth");
      assert.ok(width <= viewport.width, `${view} is ${width} pixels wide`);
    }
    assert.deepEqual(observed.chromium.errors, []);
  },
});
