import assert from "node:assert/strict";
import { parse } from "npm:acorn@^8.19.0";
import { findCommonJsExports } from "../../../cli/modules/common_js.ts";

Deno.test("findCommonJsExports finds the names that Deno finds", () => {
  const cases: [text: string, names: string, reexports?: string][] = [
    [`exports.a = exports["b c"] = 1; module.exports.d = 2; module["exports"].e = 3;`, "a,b c,d,e"],
    [`module.exports = { a: 1, b() {}, "c": f, d, [e]: 1, 5: 1, ...g };`, "a,b,c,d"],
    [
      `module.exports = exports = { a: 1, get b() { return x.y; }, get c() { return f(); } };`,
      "a,b",
    ],
    [`0 && (module.exports = { a, b });`, "a,b"],
    [
      `Object.defineProperty(exports, "a", { enumerable: true, get: function () { return b.c; } });
       Object.defineProperty(module.exports, "d", { value: 1 });
       Object.defineProperty(exports, "e", { get: () => f() });
       Object.defineProperty(other, "g", { value: 1 });`,
      "a,d",
    ],
    [`module.exports = require("./a");`, "", "./a"],
    [`exports.a = 1; module.exports = { ...require("./a"), b: 2 };`, "a,b", "./a"],
    [
      `__exportStar(require("./a"), exports); (0, t.__exportStar)(require("./b"), exports);`,
      "",
      "./a,./b",
    ],
    [
      `var _a = _interopRequireWildcard(require("./a"));
       Object.keys(_a).forEach(function (key) { exports[key] = _a[key]; });`,
      "",
      "./a",
    ],
    [
      `var _a = require("./a"); Object.keys(_a).forEach(function (key) {
         Object.defineProperty(exports, key, { enumerable: true, get: function () { return _a[key]; } });
       });`,
      "",
      "./a",
    ],
    [`var e = exports; e.a = 1; exports.b += 1; other.exports = { c: 1 };`, ""],
  ];
  for (const [text, names, reexports = ""] of cases) {
    const program = parse(text, { ecmaVersion: "latest", sourceType: "commonjs" });
    const found = findCommonJsExports(program);
    assert.equal([...found.names].sort().join(), names, text);
    assert.equal([...found.reexports].sort().join(), reexports, text);
  }
});
