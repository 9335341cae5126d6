import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { ImportResolver } from "../../../cli/repl/import_resolver.ts";
import { build, load, openStore, TemporaryProject } from "./temporary_project.ts";

const OWN = new URL("../../../mod.ts", import.meta.url);

/** A directory with another copy of the runtime, a package that resembles it, and a program. */
function makeProject(
  main: string,
  imports: Record<string, string> = {},
): Promise<TemporaryProject> {
  return TemporaryProject.make({
    "copy/deno.json": { name: "@gxensemble/ensemble", version: "0.0.1" },
    "copy/mod.ts": "throw new Error('shipped');\n",
    "other/deno.json": { name: "@other/ensemble" },
    "other/mod.ts": "export const other = 1;\n",
    "broken/deno.json": "{",
    "broken/mod.ts": "export const broken = 1;\n",
    "plain/mod.ts": "export const plain = 1;\n",
    "app/deno.json": { imports },
    "app/main.ts": main,
  });
}

Deno.test("every specifier of the runtime resolves to the server's own runtime", async () => {
  const specifiers = [
    "@gxensemble/ensemble",
    OWN.href,
    OWN.pathname,
    "../copy/mod.ts",
    "jsr:@gxensemble/ensemble",
    "jsr:@gxensemble/ensemble@^0.1",
    "jsr:/@gxensemble/ensemble@0.1.0",
    "by-path",
    "by-url",
    "by-jsr",
  ];
  await using project = await makeProject(
    specifiers.map((specifier) => `import "${specifier}";\n`).join(""),
    {
      "@gxensemble/ensemble": "https://example.com/gxensemble/mod.ts",
      "by-path": "../copy/mod.ts",
      "by-url": OWN.href,
      "by-jsr": "jsr:@gxensemble/ensemble@0.1",
    },
  );
  const { units, request: { libraries } } = await build(project.path("app/main.ts"));
  assert.deepEqual(libraries.map(({ specifier }) => specifier), ["@gxensemble/ensemble"]);
  assert.deepEqual(units.map(({ module }) => module), ["main.ts"]);
  assert.equal(units[0]!.text, `import "@gxensemble/ensemble";\n`.repeat(specifiers.length));

  const resolver = await ImportResolver.open(project.path("app"), []);
  for (const specifier of specifiers) {
    const target = { kind: "library", specifier: "@gxensemble/ensemble" };
    assert.deepEqual(await resolver.resolve(specifier), target, specifier);
  }
});

Deno.test("a module that only resembles the runtime is shipped, or imported by the server", async () => {
  await using project = await makeProject(
    `export * from "../other/mod.ts";\nexport * from "../broken/mod.ts";\n` +
      `export * from "../plain/mod.ts";\n`,
  );
  const store = await openStore(project);
  const { namespace } = await load(store, project.path("app/main.ts"));
  assert.deepEqual({ ...namespace }, { other: 1, broken: 1, plain: 1 });

  const libraries = [
    "jsr:@gxensemble/ensemble@0.1/cli",
    "jsr:@gxensemble/ensembles",
    "npm:@gxensemble/ensemble",
    "https://example.com/gxensemble/mod.ts",
  ];
  const resolver = await ImportResolver.open(project.path("app"), []);
  for (const specifier of libraries) {
    assert.deepEqual(await resolver.resolve(specifier), { kind: "library", specifier });
  }
});

Deno.test("another copy of the runtime is refused where it is imported", async () => {
  const copy = "data:text/javascript,export const runServer = 1;";
  await using project = await makeProject(`export const a = 1;\nimport "${copy}";\n`);
  const store = await openStore(project);
  const place = `${project.path("app/main.ts")}:2:8`;
  // Without a copy of its own, nothing counts as another copy.
  await load(store, project.path("app/main.ts"));
  let imported = 0;
  store.registerLibrary("@gxensemble/ensemble", async () => {
    imported++;
    return await import("../../../mod.ts");
  });
  await project.write("app/harmless.ts", `import { join } from "node:path";\nexport { join };\n`);
  await load(store, project.path("app/harmless.ts"));
  assert.equal(imported, 0);
  await assert.rejects(load(store, project.path("app/main.ts")), {
    message: `${place}: ${copy} is another copy of this server's runtime, and not connected to ` +
      `it: import "@gxensemble/ensemble", which the imports of deno.json may map to that copy`,
  });
  await assert.rejects(store.importLibrary(copy), /another copy of this server's runtime/);
  // The server's own runtime, imported from the server's own path.
  const own = await store.importLibrary(pathToFileURL(OWN.pathname).href);
  assert.equal(own, await store.importLibrary("@gxensemble/ensemble"));
});

Deno.test("a program is a file on this host", async () => {
  for (const file of ["https://example.com/main.ts", "jsr:@a/b", "npm:c"]) {
    await assert.rejects(build(file), {
      message: `${file}: is not a file on this host, and only files are shipped: load it with ` +
        `--library, or import it in a module of your own`,
    });
  }
});
