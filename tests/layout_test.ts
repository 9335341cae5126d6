import assert from "node:assert/strict";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** The folders that the files of a folder may import from, including those below them. */
const BELOW: Readonly<Record<string, readonly string[]>> = {
  ".": ["cli", "testing"],
  "testing": ["registry"],
  "cli": ["cli/commands"],
  "cli/commands": [
    ...["cli/executables", "cli/observer", "cli/doctor", "cli/top", "cli/repl", "cli/completion"],
    ...["cli/rotation", "cli/dev", "cli/packages", "cli/supervisor"],
  ],
  "cli/doctor": ["cli/kit"],
  "cli/supervisor": ["cli/kit"],
  "cli/rotation": ["cli/kit"],
  "cli/packages": ["cli/kit"],
  "cli/top": ["cli/kit"],
  "cli/completion": ["cli/kit"],
  "cli/repl": ["cli/repl/editor"],
  "cli/repl/editor": ["cli/modules"],
  "cli/dev": ["cli/modules"],
  "cli/executables": ["cli/modules"],
  "cli/observer": ["cli/modules"],
  "cli/modules": ["cli/kit"],
  "cli/kit": ["supervisor", "registry", "observer"],
  "observer": ["observer/page", "runtime/ensemble"],
  "observer/page": [],
  "supervisor": ["supervisor/processes"],
  "supervisor/processes": ["supervisor/configuration"],
  "supervisor/configuration": ["registry"],
  "registry": ["runtime/ensemble"],
  "runtime/ensemble": ["runtime/observation", "runtime/repl", "runtime/pki"],
  "runtime/observation": ["runtime/code", "runtime/home"],
  "runtime/repl": ["runtime/code"],
  "runtime/code": ["runtime/server"],
  "runtime/pki": ["runtime/home"],
  "runtime/home": ["runtime/server"],
  "runtime/server": ["runtime/wire"],
  "runtime/wire": ["runtime/actor"],
  "runtime/actor": ["runtime"],
  "runtime": [],
};

/** The entry points of the public API. */
const ENTRY_POINTS = [
  "cli/commands/registry.ts",
  "cli/commands/run.ts",
  "cli/commands/supervisor.ts",
  "mod.ts",
  "testing/test_ensemble.ts",
];

interface Import {
  readonly from: string;
  readonly to: string;
  /** Whether the module is loaded before its importer runs. Types and `import()` are not. */
  readonly isStatic: boolean;
}

async function* sourcesBelow(directory: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(join(ROOT, directory))) {
    if (isDirectory) yield* sourcesBelow(`${directory}/${name}`);
    else if (name.endsWith(".ts")) yield `${directory}/${name}`;
  }
}

async function readImports(): Promise<Import[]> {
  const imports: Import[] = [];
  const files = ["mod.ts"];
  for (const folder of ["cli", "observer", "registry", "runtime", "supervisor", "testing"]) {
    for await (const file of sourcesBelow(folder)) files.push(file);
  }
  for (const file of files) {
    const text = (await Deno.readTextFile(join(ROOT, file))).replaceAll(/\/\*.*?\*\//gs, "");
    const statements =
      /^(?:import|export)(?<type> type)?\b[^;"(]*"(?<static>\.[^"]+)"|\bimport\(\s*"(?<dynamic>\.[^"]+)"/gm;
    for (const { groups } of text.matchAll(statements)) {
      const specifier = groups!.static ?? groups!.dynamic!;
      if (!specifier.endsWith(".ts")) continue;
      const to = normalize(join(dirname(file), specifier));
      imports.push({ from: file, to, isStatic: !!groups!.static && !groups!.type });
    }
  }
  return imports;
}

const imports = await readImports();

function foldersFrom(folder: string): string[] {
  return [
    folder,
    ...(BELOW[folder] ?? assert.fail(`${folder} is no folder of sources`)).flatMap(foldersFrom),
  ];
}

Deno.test("files import from their own folder and from those below it", () => {
  assert.ok(imports.length > 500, `${imports.length} imports`);
  const wrong = imports.filter(({ from, to }) =>
    !foldersFrom(dirname(from)).includes(dirname(to)) &&
    !(to === "mod.ts" && ENTRY_POINTS.includes(from))
  );
  assert.deepEqual(wrong.map(({ from, to }) => `${from} imports ${to}`), []);
});

Deno.test("no files import each other in a cycle", () => {
  const targets = Map.groupBy(imports.filter(({ isStatic }) => isStatic), ({ from }) => from);
  const done = new Set<string>();
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) {
      assert.fail([...path.slice(path.indexOf(file)), file].join(" imports "));
    }
    if (done.has(file)) return;
    for (const { to } of targets.get(file) ?? []) if (to !== "mod.ts") visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of targets.keys()) visit(file, []);
});

/** The files that are loaded before the first statement of these. */
function loadedWith(...files: string[]): Set<string> {
  const read = new Set<string>();
  const visit = (file: string): void => {
    if (read.has(file)) return;
    read.add(file);
    for (const { from, to, isStatic } of imports) if (from === file && isStatic) visit(to);
  };
  for (const file of files) visit(file);
  return read;
}

Deno.test("commands import no actors, code or connections at their start", () => {
  const read = loadedWith("cli/command_tree.ts");
  assert.ok(read.has("cli/commands/ping.ts"));
  const heavy =
    /^cli\/(?:modules|repl|executables|kit\/(?:console|servers|prompts))|^runtime\/(?:code|repl|actor\/actor_system|server\/actor_server|wire\/transport|pki\/x509|home\/logging)/;
  assert.deepEqual([...read].filter((file) => heavy.test(file)), []);
});

Deno.test("COMPILER is the URL of a module that imports all that analyses depend on", () => {
  // In a bundle, its file's name contains a hash of these.
  const files = loadedWith("cli/modules/module_reader.ts");
  const compiler = ["analysis", "common_js", "computed_imports", "javascript", "syntax"];
  for (const name of compiler) assert.ok(files.has(`cli/modules/${name}.ts`), name);
  assert.ok(files.has("runtime/code/source_map.ts"));
});

Deno.test("ping loads no module of Node.js that takes long to load", async () => {
  const files = loadedWith(
    "runtime/home/signals.ts",
    "cli/command_tree.ts",
    "cli/kit/command_line.ts",
    "cli/kit/server_set.ts",
    "runtime/ensemble/remote.ts",
  );
  const loaded = new Set<string>();
  for (const file of files) {
    const text = await Deno.readTextFile(join(ROOT, file));
    for (const [, name] of text.matchAll(/^import (?!type)[^;]*? from "(node:[^"]+)"/gm)) {
      loaded.add(name!);
    }
  }
  // A bundle loads node:process when it is used.
  const cheap = ["node:buffer", "node:path", "node:process"];
  assert.deepEqual([...loaded].filter((name) => !cheap.includes(name)), []);
});

Deno.test("ping without -s loads nothing of a supervisor", () => {
  const files = loadedWith("cli/command_tree.ts", "cli/kit/server_set.ts");
  assert.deepEqual([...files].filter((file) => /^supervisor\/|supervisor_way/.test(file)), []);
});

Deno.test("only mod.ts re-exports", async () => {
  for await (const folder of ["cli", "observer", "registry", "runtime", "supervisor", "testing"]) {
    for await (const file of sourcesBelow(folder)) {
      const text = await Deno.readTextFile(join(ROOT, file));
      assert.doesNotMatch(text, /^export (?:type )?(?:\{[^}]*\}|\*[^"]*) from "\./m, file);
    }
  }
});
