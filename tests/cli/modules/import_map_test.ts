import assert from "node:assert/strict";
import { ImportMap } from "../../../cli/modules/import_map.ts";

const MAP = new ImportMap({
  imports: {
    "a": "./src/a.ts",
    "a/": "./src/a/",
    "a/b/": "./other/",
    "pkg": "npm:pkg@^1",
    "web/": "https://example.com/web/",
    "./old.ts": "./new.ts",
    "blocked": null,
    "bad": "no-address",
  },
  scopes: { "./vendor/": { "a": "./vendor/a.ts" } },
}, "file:///p/deno.json");

Deno.test("import maps resolve specifiers as the standard says", () => {
  const cases: [specifier: string, resolved: string | undefined, referrer?: string][] = [
    ["a", "file:///p/src/a.ts"],
    ["a/x.ts", "file:///p/src/a/x.ts"],
    ["a/b/x.ts", "file:///p/other/x.ts"],
    ["a/../../x.ts", undefined],
    ["ab", undefined],
    ["pkg", "npm:pkg@^1"],
    ["pkg/sub", "npm:pkg@^1/sub"],
    ["web/x.js", "https://example.com/web/x.js"],
    ["../old.ts", "file:///p/new.ts"],
    ["blocked", undefined],
    ["bad", undefined],
    ["a", "file:///p/vendor/a.ts", "file:///p/vendor/main.ts"],
    ["pkg", "npm:pkg@^1", "file:///p/vendor/main.ts"],
    ["./x.ts", "file:///p/src/x.ts"],
    ["/x.ts", "file:///x.ts"],
    ["node:fs", "node:fs"],
  ];
  for (const [specifier, resolved, referrer = "file:///p/src/main.ts"] of cases) {
    assert.equal(MAP.resolve(specifier, referrer), resolved, specifier);
  }
});
