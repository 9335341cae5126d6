import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { barriers, CHROMIUM, type PageOptions } from "../chromium.ts";
import { evaluate, go, Observed, shows } from "../e2e/observed_page.ts";
import { testWith } from "../requirements.ts";

const FLEET = fileURLToPath(new URL("../../scripts/screenshots/fleet.ts", import.meta.url));
const CONFIGURATION = fileURLToPath(new URL("../../deno.json", import.meta.url));

testWith([CHROMIUM], {
  name: "the observer's page has no barriers in any view, dark and light, wide and narrow",
  async fn() {
    await using observed = await Observed.start(["web1", "job1"]);
    const looks: PageOptions[] = [
      { colorScheme: "light", viewport: { width: 1440, height: 900 } },
      { colorScheme: "dark", viewport: { width: 380, height: 800 } },
    ];
    const views = ["overview", "servers", "groups", "versions", "logs", "timeline"];
    const tabs = ["", "/actors", "/supervision", "/code", "/logs"];
    for (const look of looks) {
      const page = await observed.open("", look);
      await shows(page, ".graph a", "web1");
      for (const view of [...views, ...tabs.map((tab) => `servers/web1${tab}`)]) {
        await go(page, view);
        assert.deepEqual(await barriers(page), [], `${view} in ${look.colorScheme}`);
        const width = await evaluate<number>(page, "document.documentElement.scrollWidth");
        assert.ok(width <= look.viewport!.width, `${view} is ${width} pixels wide`);
      }
      await page.close();
    }
    assert.deepEqual(observed.chromium.errors, []);
  },
});

testWith([CHROMIUM], {
  name: "the observer's page shows 200 servers with 10,000 actors",
  async fn() {
    await using observed = await Observed.start([]);
    const { ensemble } = observed;
    const args = ["run", "-A", `--config=${CONFIGURATION}`, FLEET];
    const processes = Array.from(
      { length: 8 },
      (_, index) => ensemble.spawnDeno(...args, `${index}`, "25", "45"),
    );
    await Promise.all(processes.map((process) => process.printed("started")));
    const page = await observed.open();
    await shows(page, ".tile", /Servers\s*201 up/);
    await shows(page, ".tile", /Actors\s*10,\d{3}/);
    assert.equal(await page.locator(".graph a.node").count(), 201);
    await go(page, "servers");
    await page.keyboard.press("/");
    await page.keyboard.type("checkout");
    await shows(page, ".view-head", "24 of 201 servers");
    await shows(page, "tbody tr", /checkout6.*50/s);
    assert.deepEqual(observed.chromium.errors, []);
  },
});
