import assert from "node:assert/strict";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { allCommands } from "../cli/kit/command_line.ts";
import { commandTree } from "../cli/command_tree.ts";
import { readPage as readSteps } from "../scripts/pages/page.ts";
import configuration from "../deno.json" with { type: "json" };

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The longest line of prose; tables and code blocks may be wider. */
const WIDTH = 100;

/** A page of the documentation. */
interface Page {
  /** Its path from the root of the project. */
  readonly path: string;
  /** Its lines outside of code blocks; those inside are empty here. */
  readonly prose: readonly string[];
  /** The lines of its code blocks. */
  readonly code: readonly string[];
  /** The words after the fences of its transcripts. */
  readonly transcripts: readonly string[];
}

function readPage(path: string): Page {
  const prose: string[] = [];
  const code: string[] = [];
  let isCode = false;
  const transcripts: string[] = [];
  let fence = "";
  for (const line of Deno.readTextFileSync(join(ROOT, path)).split("\n")) {
    if (line.startsWith("$ ") && fence !== "") transcripts.push(fence);
    fence = /^\s*```.*/.exec(line)?.[0] ?? "";
    const isFence = /^\s*```/.test(line);
    if (isFence) isCode = !isCode;
    else if (isCode) code.push(line);
    prose.push(isFence || isCode ? "" : line);
  }
  assert.ok(!isCode, `${path}: a code block does not end`);
  return { path, prose, code, transcripts };
}

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  ...Array.from(Deno.readDirSync(join(ROOT, "docs")), ({ name }) => `docs/${name}`).sort(),
].filter((path) => path.endsWith(".md")).map(readPage);

/** The anchors that GitHub gives to a page's headings. */
function anchorsOf({ prose }: Page): Set<string> {
  const anchors = new Set<string>();
  for (const line of prose) {
    const heading = /^#+ (.*)$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const name = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, "").replaceAll(" ", "-");
    let anchor = name;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${name}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** The error in a relative link, if there is one. */
function problemOf(page: Page, target: string): string | undefined {
  const [file, anchor] = target.split("#", 2);
  const path = file === "" ? page.path : relative(ROOT, join(ROOT, dirname(page.path), file!));
  try {
    Deno.statSync(join(ROOT, path));
  } catch {
    return "no such file";
  }
  if (anchor === undefined) return;
  const there = pages.find((other) => other.path === path);
  if (there === undefined) return "an anchor in a file that is not a page";
  if (!anchorsOf(there).has(anchor)) return "no such heading";
}

Deno.test("links in the documentation lead to files and headings", () => {
  const problems: string[] = [];
  let count = 0;
  for (const page of pages) {
    // A link can be split over two lines.
    const text = page.prose.join("\n").replaceAll(/`[^`]*`/g, "");
    for (const [, target] of text.matchAll(/\]\(([^()\s]+)\)/g)) {
      if (/^\w+:/.test(target!)) continue;
      count++;
      const problem = problemOf(page, target!);
      if (problem) problems.push(`${page.path}: (${target}): ${problem}`);
    }
  }
  assert.deepEqual(problems, []);
  assert.ok(count > 50, `${count} links`);
});

Deno.test("the documentation's index links to every page", () => {
  const index = pages.find(({ path }) => path === "docs/README.md")!.prose.join("\n");
  const missing = pages.filter(({ path }) =>
    path.startsWith("docs/") && path !== "docs/README.md" && !index.includes(`(${path.slice(5)})`)
  );
  assert.deepEqual(missing.map(({ path }) => path), []);
});

Deno.test("the documentation's prose is wrapped", () => {
  const wide = pages.flatMap(({ path, prose }) =>
    prose.flatMap((line, index) =>
      line.length > WIDTH && !/^\s*\|/.test(line) ? [`${path}:${index + 1}: ${line}`] : []
    )
  );
  assert.deepEqual(wide, []);
});

Deno.test("the documentation's transcripts say whether they are run", () => {
  const unmarked = pages.flatMap((page) =>
    page.transcripts.filter((fence) => !/^\s*```console(?: ignore)?$/.test(fence))
      .map((fence) => `${page.path}: ${fence}`)
  );
  assert.deepEqual(unmarked, []);
});

/** A command line of `gxensemble` in a page. */
interface Mention {
  readonly words: readonly string[];
  /** Whether it is in a transcript. In prose, a command can omit its arguments. */
  readonly isTyped: boolean;
}

/** The commands after a `$` in code blocks, and those in the prose's code. */
function* mentionsIn({ prose, code }: Page): Generator<Mention> {
  const typed = code.join("\n").replaceAll("\\\n", " ").split("\n")
    .flatMap((line) => /^\$ (.*)/.exec(line)?.[1] ?? []);
  const quoted = Array.from(prose.join("\n").matchAll(/`([^`]+)`/g), ([, text]) => text!);
  for (const [lines, isTyped] of [[typed, true], [quoted, false]] as const) {
    for (const line of lines) {
      const commands = line.matchAll(/(?:^|&& |\| |until |exec \w+ )(?:gx|gxensemble) (.+)/g);
      for (const [, command] of commands) yield { words: wordsOf(command!), isTyped };
    }
  }
}

/** The words of a command line, with 1 for each `<placeholder>` and each `$variable`. */
function wordsOf(command: string): string[] {
  const alone = command.replace(/(?: 2>&1)?(?: \||;| &&| &$| #| >>? ).*$/, "");
  return Array.from(
    alone.matchAll(/'([^']*)'|"([^"]*)"|\S+/g),
    ([word, single, double]) => single ?? double ?? word.replace(/^(?:<.*>|\$\w+)$/, "1"),
  );
}

/** The error in a command line, if there is one. The command is not run. */
async function mistakeIn({ words, isTyped }: Mention): Promise<string | undefined> {
  const tree = commandTree();
  let isRead = false;
  for (const command of [tree, ...allCommands(tree)]) command.action(() => void (isRead = true));
  try {
    await tree.parseAsync([...words], { from: "user" });
  } catch (error) {
    const { message } = error as Error;
    return message.startsWith("missing required argument") && !isTyped ? undefined : message;
  }
  return isRead ? undefined : "not a command";
}

Deno.test("commands in the documentation have options and arguments that exist", async () => {
  const mistakes: string[] = [];
  let count = 0;
  for (const page of pages) {
    for (const mention of mentionsIn(page)) {
      if (/^-|^help$/.test(mention.words[0]!)) continue;
      count++;
      const mistake = await mistakeIn(mention);
      if (mistake) mistakes.push(`${page.path}: ${mention.words.join(" ")}: ${mistake}`);
    }
  }
  assert.deepEqual(mistakes, []);
  assert.ok(count > 100, `${count} commands`);
});

Deno.test("links in docstrings name what their file declares or imports", async () => {
  const { stdout } = await new Deno.Command("git", {
    args: [
      "ls-files",
      "mod.ts",
      "cli/*.ts",
      "registry/*.ts",
      "runtime/*.ts",
      "supervisor/*.ts",
      "testing/*.ts",
    ],
    cwd: ROOT,
  }).output();
  const dead = new TextDecoder().decode(stdout).trim().split("\n").flatMap((path) => {
    const text = Deno.readTextFileSync(join(ROOT, path));
    const code = text.replaceAll(/\/\*\*.*?\*\//gs, "");
    const names = new Set(code.match(/[\w$]+/g));
    return [...text.matchAll(/\{@linkcode[\s*]+([\w$]+)/g)]
      .filter(([, name = ""]) => !names.has(name))
      .map(([, name]) => `${path}: ${name}`);
  });
  assert.deepEqual(dead, []);
});

/** The blocks of TypeScript in the pages that are not type-checked. */
function* uncheckedBlocks(): Generator<{ path: string; text: string }> {
  for (const { path } of pages) {
    const text = Deno.readTextFileSync(join(ROOT, path));
    for (const [, block] of text.matchAll(/^ *```ts ignore\n(.*?)^ *```$/gms)) {
      yield { path, text: block! };
    }
  }
}

/** Removes what differs between a file and its excerpt in a page. */
function withoutLayout(code: string): string {
  return code.replaceAll(/\/\*\*[^]*?\*\/|\/\/ .*$/gm, "").replaceAll(/[\s,]+/g, "");
}

Deno.test("code of the documentation is type-checked, is an excerpt of an example, or imports the file beside it", async () => {
  const { stdout } = await new Deno.Command("git", {
    args: ["ls-files", "examples/*.ts"],
    cwd: ROOT,
  }).output();
  const examples = new TextDecoder().decode(stdout).trim().split("\n")
    .map((path) => withoutLayout(Deno.readTextFileSync(join(ROOT, path))));
  const unknown = [...uncheckedBlocks()].filter(({ text }) =>
    !/ from "\.\//.test(text) &&
    !text.split("\n\n").map(withoutLayout).every((part) =>
      examples.some((code) => code.includes(part))
    )
  );
  assert.deepEqual(unknown, []);
});

Deno.test("files that the README shows have the types that they import from each other", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const runtime = new URL("../mod.ts", import.meta.url).href;
    const files = readSteps(Deno.readTextFileSync(join(ROOT, "README.md")))
      .filter((step) => step.kind === "file");
    assert.ok(files.length > 1);
    for (const { path, text } of files) await Deno.writeTextFile(join(directory, path), text);
    await Deno.writeTextFile(
      join(directory, "deno.json"),
      JSON.stringify({ imports: { [configuration.name]: runtime } }),
    );
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--quiet", ...files.map(({ path }) => path)],
      cwd: directory,
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

/** What `deno doc --json` says of an export. */
interface DocumentedSymbol {
  readonly name: string;
  readonly declarations: readonly {
    readonly declarationKind: "export" | "private";
    readonly kind: string;
    readonly jsDoc?: {
      readonly doc?: string;
      readonly tags?: readonly { readonly kind: string; readonly doc?: string }[];
    };
  }[];
}

Deno.test("every export for programs has a docstring and an example", async () => {
  const libraries = [".", "./testing", "./certificates"] as const;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", ...libraries.map((name) => configuration.exports[name])],
    cwd: ROOT,
  }).output();
  const { nodes }: { nodes: Record<string, { symbols: DocumentedSymbol[] }> } = JSON.parse(
    new TextDecoder().decode(stdout),
  );
  // A reference is to another file's export.
  const symbols = Object.values(nodes).flatMap(({ symbols }) => symbols)
    .filter(({ declarations }) => declarations.every(({ kind }) => kind !== "reference"));
  assert.ok(symbols.length > 40, `${symbols.length} exports`);
  const bare = symbols.flatMap(({ name, declarations }) => {
    const all = declarations.filter(({ declarationKind }) => declarationKind === "export");
    if (all.length === 0) return [];
    const isDescribed = all.some(({ jsDoc }) => jsDoc?.doc);
    const hasExample = all.some(({ jsDoc }) =>
      jsDoc?.tags?.some(({ kind, doc }) => kind === "example" && doc?.includes("```ts\n"))
    );
    return isDescribed && hasExample ? [] : [name];
  });
  assert.deepEqual(bare, []);
});
