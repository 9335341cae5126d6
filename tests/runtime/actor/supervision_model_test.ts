import assert from "node:assert/strict";
import { testWith } from "../../requirements.ts";
import { SeededRandom, withSeed } from "../../seeded_random.ts";
import { compareWithModel } from "./supervised_tree.ts";
import { type Event, type Node, RandomSupervision, SupervisionModel } from "./supervision_model.ts";

Deno.test("supervisors do what the model of OTP's rules does", async () => {
  await withSeed(async (random) => {
    const { restarts } = await compareWithModel(random, ({ events }) => events >= 400);
    assert.ok(restarts > 100, `${restarts} restarts`);
  });
});

/** The number of trees with which the model is compared with OTP. */
const OTP_TREES = 15;

testWith(["erl"], {
  name: "the model does what OTP's supervisor does",
  async fn() {
    const supervision = new RandomSupervision(new SeededRandom());
    const input: string[] = [];
    const expected: string[] = [];
    for (let i = 0; i < OTP_TREES; i++) {
      const top = supervision.tree();
      const model = new SupervisionModel(top);
      const note = () => expected.push(model.notes.splice(0).join(" "));
      input.push(`{tree, ${nodeTerm(top)}}.`);
      note();
      for (let i = 0; i < 20 && model.isRunning; i++) {
        // OTP's supervisors shut their children down when they are killed themselves.
        const event = supervision.event(model, { killsAll: false });
        if (!event) continue;
        input.push(eventTerm(event));
        model.apply(event);
        note();
      }
      input.push("done.");
    }
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${folder}/scenarios`, input.join("\n"));
      const script = new URL("otp_supervision.escript", import.meta.url).pathname;
      const { code, stdout, stderr } = await new Deno.Command("escript", {
        args: [script, `${folder}/scenarios`],
        env: { HOME: folder },
      }).output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      assert.equal(code, 0, text(stderr) + text(stdout));
      const events = input.filter((line) => line !== "done.");
      const lines = text(stdout).split("\n").slice(0, -1);
      const numbered = (notes: string[]) => notes.map((each, i) => `${events[i]} -> ${each}`);
      assert.deepEqual(numbered(lines), numbered(expected));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** A node as an Erlang term. */
function nodeTerm({ name, restart, supervisor }: Node): string {
  if (!supervisor) return `{worker, ${name}, ${restart}}`;
  const { strategy, intensity, children } = supervisor;
  const below = children.map(nodeTerm).join(", ");
  const flags = `${strategy.replaceAll("-", "_")}, ${intensity}`;
  return `{supervisor, ${name}, ${restart}, ${flags}, [${below}]}`;
}

/** An event as an Erlang term. */
function eventTerm(event: Event): string {
  if (event.type === "start") return `{start, ${event.parent}, ${nodeTerm(event.child)}}.`;
  return "parent" in event
    ? `{${event.type}, ${event.parent}, ${event.name}}.`
    : `{'${event.type}', ${event.name}}.`;
}
