import assert from "node:assert/strict";
import { nearest } from "../../runtime/near_names.ts";

Deno.test("nearest returns names within a few edits or with the typed prefix, nearest first", () => {
  const names = ["httpd1", "httpd2", "httpd10", "worker", "web-eu-1", "Web", "db"];
  assert.deepEqual(nearest("htpd1", names), ["httpd1"]);
  assert.deepEqual(nearest("httpd", names), ["httpd1", "httpd2", "httpd10"]);
  assert.deepEqual(nearest("WORKRE", names), ["worker"]);
  assert.deepEqual(nearest("web", names), ["Web", "web-eu-1"]);
  assert.deepEqual(nearest("dc", names), ["db"]);
  assert.deepEqual(nearest("bd", names), ["db"], "two letters the other way round are one mistake");
  assert.deepEqual(nearest("bda", names), []);
  assert.deepEqual(nearest("w", names), []);
  assert.deepEqual(nearest("api", ["API-eu-1"]), ["API-eu-1"]);
  assert.deepEqual(nearest("nosuch", names), []);
  assert.deepEqual(nearest("x1", ["x2", "x3", "x4", "x5"]), ["x2", "x3", "x4"]);
});
