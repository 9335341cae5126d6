import assert from "node:assert/strict";
import { type OwnNeeds, permissionFlags, withFlags } from "../../../cli/kit/permissions.ts";
import { parseDenials } from "../../../runtime/home/denials.ts";

const NEEDS: OwnNeeds = {
  read: [],
  write: ["/state", "/sockets"],
  net: ["unix:/sockets/a"],
  env: ["HOME"],
  run: [],
  ffi: [],
  sys: ["uid"],
  import: [],
};

Deno.test("permissionFlags leaves the server exactly the permissions it needs", () => {
  const flags = (text: string) => permissionFlags(parseDenials(text), NEEDS).join(" ");
  assert.equal(
    flags("run,ffi,write"),
    "--allow-read --allow-write=/state,/sockets --allow-net --allow-env --deny-run --deny-ffi " +
      "--allow-sys --allow-import",
  );
  assert.equal(
    flags("net,env,sys,import,write=/etc,write=/usr,read=/root"),
    "--allow-read --deny-read=/root --allow-write --deny-write=/etc,/usr --allow-net=unix:/sockets/a " +
      "--allow-env=HOME --allow-run --allow-ffi --allow-sys=uid --deny-import",
  );
  assert.match(flags("write=/etc,write"), /--allow-write=\/state,\/sockets /);

  // Deno would read the text after the comma as another permitted path.
  const divided = { ...NEEDS, write: ["/state,/"] };
  assert.throws(() => permissionFlags(parseDenials("write"), divided), {
    name: "EnsembleError",
    message: /^cannot deny all of write: the server needs \/state,\/, and .* a comma$/,
  });
});

Deno.test("withFlags replaces only the permission flags of a Deno command line", () => {
  const cases: [given: string, count: number, expected: string][] = [
    ["deno run -A cli/main.ts run -A", 2, "deno run --new cli/main.ts run -A"],
    ["deno run -Aq --allow-net=a --config=x main.ts", 0, "deno run --new -q --config=x main.ts"],
    ["deno -A main.ts a", 1, "deno run --new main.ts a"],
    ["deno main.ts a", 1, "deno run --new main.ts a"],
    [
      "/d/deno run --quiet --allow-all --no-prompt -R=. --deny-run --unstable-kv p/main.js",
      0,
      "/d/deno run --new --quiet --unstable-kv p/main.js",
    ],
    ["deno eval -A code a b", 2, "deno eval --new code a b"],
  ];
  for (const [given, count, expected] of cases) {
    assert.deepEqual(withFlags(given.split(" "), ["--new"], count), expected.split(" "));
  }
  assert.throws(() => withFlags(["deno", "run", "-A", "-", "web1"], ["--new"], 1), {
    name: "EnsembleError",
    message: /from standard input, since it restarts the process: pass a file$/,
  });
});
