import assert from "node:assert/strict";
import { init, parse } from "npm:es-module-lexer@^3.0.5";
import { makePageFiles } from "../../observer/page_files.ts";

await init;
const { html, assets, importMapHash } = await makePageFiles();
const text = (body: Uint8Array) => new TextDecoder().decode(body);
const [, importMap] = /<script type="importmap">(.*)<\/script>/.exec(text(html.body))!;
const { imports } = JSON.parse(importMap!) as { imports: Record<string, string> };

Deno.test("makePageFiles gives every file that the page and its modules import", () => {
  const html_ = text(html.body);
  for (const [, path] of html_.matchAll(/(?:src|href)="assets\/([^"]+)"/g)) {
    assert.ok(assets.has(path!), `${path} is named by page.html`);
  }
  for (const [name, { type, body }] of assets) {
    if (!type.startsWith("text/javascript")) continue;
    for (const { specifier } of parse(text(body))[0]) {
      const base = new URL(name, "http://observer/assets/");
      const mapped = imports[specifier!];
      const { pathname } = mapped ? new URL(mapped, "http://observer/") : new URL(specifier!, base);
      assert.ok(assets.has(pathname.slice("/assets/".length)), `${specifier} in ${name}`);
    }
  }
});

Deno.test("makePageFiles gives the hash of the import map for the content security policy", async () => {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(importMap));
  assert.equal(importMapHash, new Uint8Array(digest).toBase64());
});

Deno.test("the files of the page need nothing from elsewhere, and have no inline code", () => {
  const page = text(html.body).replace(/<script type="importmap">.*?<\/script>/, "");
  assert.doesNotMatch(page, /<script(?![^>]* src="assets\/)|<style|\son\w+=|\sstyle=|https?:/);
  for (const [name, { body }] of assets) {
    if (name.startsWith("lib/")) continue;
    assert.doesNotMatch(text(body), /\b(?:import|fetch|url)\b[^\n]*https?:/, name);
    assert.doesNotMatch(text(body), /\binnerHTML\b|dangerouslySetInnerHTML|\beval\(/, name);
  }
});

Deno.test("every library is mapped under the specifier that the modules of the page use", async () => {
  const files = new URL("../../observer/page/", import.meta.url);
  for await (const { name } of Deno.readDir(files)) {
    if (!name.endsWith(".ts")) continue;
    const source = await Deno.readTextFile(new URL(name, files));
    for (const [, specifier] of source.matchAll(/^import (?!type)[^;]* from "(npm:[^"]+)"/gm)) {
      assert.ok(imports[specifier!], `${specifier} in ${name}`);
    }
  }
});
