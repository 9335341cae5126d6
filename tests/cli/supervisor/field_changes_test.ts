import assert from "node:assert/strict";
import { parseFieldChange } from "../../../cli/supervisor/field_changes.ts";

Deno.test("parseFieldChange takes JSON, a text, or nothing", () => {
  assert.deepEqual(parseFieldChange('args=["80"]'), { field: "args", value: ["80"] });
  assert.deepEqual(parseFieldChange("enabled=false"), { field: "enabled", value: false });
  assert.deepEqual(parseFieldChange("env.LEVEL=a=b"), { field: "env.LEVEL", value: "a=b" });
  assert.deepEqual(parseFieldChange("env.PORT=80"), { field: "env.PORT", value: "80" });
  assert.deepEqual(parseFieldChange('env.KEY={"file":"k"}').value, { file: "k" });
  assert.deepEqual(parseFieldChange("memoryLimit="), { field: "memoryLimit", value: undefined });
});

Deno.test("parseFieldChange says what a change looks like", () => {
  for (const text of ["restart", "=x", ""]) {
    assert.throws(() => parseFieldChange(text), /not field=value, such as restart=transient/);
  }
});
