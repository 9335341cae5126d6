/**
 * The files of the observer's page, from the program itself: nothing is read from a directory or
 * fetched, so that they are the same in the sources and in an executable.
 *
 * Modules of the page are TypeScript. Their types are removed here, and they keep their names.
 * Libraries are files of npm packages. An import map tells the browser where they are.
 *
 * @module
 */
import HTM from "npm:htm@^3.1.1" with { type: "text" };
import PREACT from "npm:preact@^10.27.2" with { type: "text" };
import PREACT_HOOKS from "npm:preact@^10.27.2/hooks" with { type: "text" };
import HTML from "./page/page.html" with { type: "text" };
import CSS from "./page/page.css" with { type: "text" };
import MAIN from "./page/main.ts" with { type: "text" };

/** The modules of the page. */
const MODULES: Readonly<Record<string, string>> = {
  "main.ts": MAIN,
};

/** Its style sheets. */
const STYLES: Readonly<Record<string, string>> = {
  "page.css": CSS,
};

/** A library: its file, which imports at most other libraries, and the specifiers that mean it. */
interface Library {
  readonly text: string;
  readonly specifiers: readonly string[];
}

const LIBRARIES: Readonly<Record<string, Library>> = {
  "htm.js": { text: HTM, specifiers: ["npm:htm@^3.1.1", "htm"] },
  "preact.js": { text: PREACT, specifiers: ["npm:preact@^10.27.2", "preact"] },
  "preact_hooks.js": {
    text: PREACT_HOOKS,
    specifiers: ["npm:preact@^10.27.2/hooks", "preact/hooks"],
  },
};

/** The line of the page that the import map replaces. */
const IMPORT_MAP = "<!-- import map -->";

/** A file of the page, ready to send. */
export interface PageFile {
  /** Its content type. */
  readonly type: string;
  /** Its bytes, in UTF-8. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/** All files of the page. */
export interface PageFiles {
  /** The page itself. */
  readonly html: PageFile;
  /** The other files, by their paths below `assets/`. */
  readonly assets: ReadonlyMap<string, PageFile>;
  /** The SHA-256 of the import map in the page, in base64, which the content security policy names. */
  readonly importMapHash: string;
}

/** Makes the files of the page. Takes some 50 ms, for the types of its modules. */
export async function makePageFiles(): Promise<PageFiles> {
  // It is CommonJS, and a bundle has only its default export.
  const { default: swc } = await import("npm:@swc/wasm-typescript@^1.16.2");
  const assets = new Map<string, PageFile>();
  for (const [name, source] of Object.entries(MODULES)) {
    const { code } = swc.transformSync(source, { mode: "strip-only" });
    assets.set(name, pageFile("text/javascript", code));
  }
  for (const [name, text] of Object.entries(STYLES)) assets.set(name, pageFile("text/css", text));
  const imports: Record<string, string> = {};
  for (const [name, { text, specifiers }] of Object.entries(LIBRARIES)) {
    assets.set(`lib/${name}`, pageFile("text/javascript", withoutSourceMap(text)));
    for (const specifier of specifiers) imports[specifier] = `./assets/lib/${name}`;
  }
  const importMap = JSON.stringify({ imports });
  const html = HTML.replace(IMPORT_MAP, () => `<script type="importmap">${importMap}</script>`);
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(importMap));
  return {
    html: pageFile("text/html", html),
    assets,
    importMapHash: new Uint8Array(hash).toBase64(),
  };
}

function pageFile(type: string, text: string): PageFile {
  return { type: `${type}; charset=utf-8`, body: new TextEncoder().encode(text) };
}

/** Removes the reference to a source map, which is not served. */
function withoutSourceMap(text: string): string {
  return text.replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n");
}
