import assert from "node:assert/strict";
import { type Decision, PageAccess, type RequestHead } from "../../observer/page_access.ts";

const access = new PageAccess();
const entered = decide({ target: access.entrance });
assert.equal(entered.kind, "entered");
const { cookie: setCookie, location } = entered as Extract<Decision, { kind: "entered" }>;
const cookie = setCookie.split(";")[0]!;

function decide({ method = "GET", target = access.path, headers = {} }: Partial<RequestHead>) {
  return access.decide({ method, target, headers: { host: "127.0.0.1:4040", ...headers } });
}

function statusOf(decision: Decision): number {
  return decision.kind === "refused" ? decision.status : 0;
}

Deno.test("PageAccess exchanges the token of the URL for a cookie, and leaves the URL", () => {
  assert.equal(location, access.path);
  assert.match(setCookie, /^observer=[\w-]{43}; Path=\/[\w-]{16}\/; HttpOnly; SameSite=Strict$/);
  assert.doesNotMatch(location, /token/);
  assert.equal(setCookie.includes(access.entrance.slice("/?token=".length)), false);
});

Deno.test("PageAccess admits a request with the cookie", () => {
  const decision = decide({ target: `${access.path}api/history?a=b`, headers: { cookie } });
  assert.ok(decision.kind === "admitted");
  assert.equal(decision.path, "api/history");
  assert.equal(decision.query.get("a"), "b");
  assert.equal(
    decide({ headers: { cookie: `other=1; observer=old; ${cookie}` } }).kind,
    "admitted",
  );
});

Deno.test("PageAccess refuses a request without the cookie or the token", () => {
  assert.equal(statusOf(decide({})), 403);
  assert.equal(statusOf(decide({ headers: { cookie: "observer=" } })), 403);
  assert.equal(statusOf(decide({ headers: { cookie: `${cookie}x` } })), 403);
  assert.equal(statusOf(decide({ target: "/?token=" })), 403);
  assert.equal(statusOf(decide({ target: "/?token=wrong" })), 403);
  assert.equal(statusOf(decide({ target: `/?token=${cookie.split("=")[1]}` })), 403);
});

Deno.test("PageAccess refuses a host name that can point here from elsewhere", () => {
  for (
    const host of ["evil.example", "127.0.0.1.evil.example:4040", "127.0.0.1@evil", "", "10.0.0.1"]
  ) {
    assert.equal(statusOf(decide({ headers: { cookie, host } })), 403, host);
    assert.equal(statusOf(decide({ target: access.entrance, headers: { host } })), 403, host);
  }
  for (const host of ["localhost:4040", "127.0.0.1", "[::1]:4040", "localhost:8080"]) {
    assert.equal(decide({ headers: { cookie, host } }).kind, "admitted", host);
  }
  const none = { method: "GET", target: access.path, headers: { cookie } };
  assert.equal(statusOf(access.decide(none)), 403);
});

Deno.test("PageAccess refuses requests that pages of another origin send", () => {
  for (
    const origin of [
      "http://evil.example",
      "null",
      "http://127.0.0.1:9999",
      "https://127.0.0.1:4040",
    ]
  ) {
    for (const method of ["GET", "POST"]) {
      assert.equal(statusOf(decide({ method, headers: { cookie, origin } })), 403, origin);
    }
  }
  assert.equal(statusOf(decide({ method: "POST", headers: { cookie } })), 403, "no origin");
  for (const site of ["cross-site", "same-site"]) {
    assert.equal(statusOf(decide({ headers: { cookie, "sec-fetch-site": site } })), 403, site);
  }
  const own = { cookie, origin: "http://127.0.0.1:4040", "sec-fetch-site": "same-origin" };
  assert.equal(decide({ method: "POST", headers: own }).kind, "admitted");
});

Deno.test("PageAccess admits the URL from wherever it is opened", () => {
  const headers = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" };
  assert.equal(decide({ target: access.entrance, headers }).kind, "entered");
  assert.equal(statusOf(decide({ method: "POST", target: access.entrance })), 403);
});

Deno.test("PageAccess refuses targets that are not paths below the page", () => {
  const headers = { cookie };
  for (const target of ["http://evil.example/", "//evil.example/", "*", "evil"]) {
    assert.equal(statusOf(decide({ target, headers })), 400, target);
  }
  assert.equal(statusOf(decide({ target: "/other/", headers })), 404);
  assert.equal(statusOf(decide({ target: `${access.path}../other`, headers })), 404);
});

Deno.test("PageAccess admits actions only with the secret that the page was given", () => {
  assert.equal(access.mayAct({ "x-observer-token": access.actionToken }), true);
  assert.equal(access.mayAct({ "x-observer-token": "wrong" }), false);
  assert.equal(access.mayAct({}), false);
  assert.notEqual(new PageAccess().actionToken, access.actionToken);
});
