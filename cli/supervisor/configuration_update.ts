/**
 * Changing the configuration of supervisors: what it would do is shown before it is done.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { formatProblem } from "../../supervisor/configuration/configuration_reading.ts";
import type { ConfigurationDifferences } from "../../supervisor/configuration/configuration.ts";
import type { ConfigurationOutcome } from "../../supervisor/host_configuration_protocol.ts";
import { supervisorClient } from "../../supervisor/supervisor_protocol.ts";
import { operatorName } from "../kit/administrator.ts";
import { printJson, printNotice, printText } from "../kit/output.ts";
import { askYesOrNo } from "../kit/prompts.ts";
import type { WorkContext } from "../kit/server_set.ts";
import { SUPERVISOR } from "./chosen_supervisors.ts";
import { unifiedDiff } from "./text_diff.ts";

/** How long a supervisor may take to put a configuration into effect, in ms. */
const APPLY_TIMEOUT = 120_000;

/** A change of configurations. */
export interface ConfigurationChange {
  /** The name of the new configuration, for messages: its file. */
  readonly name: string;
  /** Whether only to show what it would do. */
  readonly dryRun: boolean;
  /** Whether to do it without confirmation. */
  readonly force: boolean;
  /** Whether results are printed as JSON. */
  readonly json: boolean;
  /** Makes the new text of that of a supervisor. */
  change(text: string): string;
}

/** What a change would do at a supervisor. */
interface Planned {
  readonly supervisor: string;
  readonly text: string;
  readonly expectedHash: string;
  readonly outcome: ConfigurationOutcome;
}

/**
 * Shows what a change of the configurations of supervisors does, asks for confirmation, and has it
 * done.
 *
 * @throws {EnsembleError} if the new configuration is wrong for one of them, the user does not
 * confirm, or a configuration was changed meanwhile.
 */
export async function updateConfigurations(
  { actors, administrator }: WorkContext,
  supervisors: readonly string[],
  change: ConfigurationChange,
): Promise<void> {
  const plans: Planned[] = [];
  for (const supervisor of supervisors) {
    const plan = await administrator.elevating(
      supervisor,
      SUPERVISOR,
      () => planChange(actors, supervisor, change),
    );
    if (plan) plans.push(plan);
  }
  const wrong = plans.filter(({ outcome }) => !outcome.differences);
  if (wrong.length > 0) {
    const ids = wrong.map(({ supervisor }) => supervisor).join(", ");
    throw new EnsembleError(`${change.name} is wrong for ${ids}: nothing was changed`);
  }
  if (change.dryRun || plans.length === 0) return;
  if (!change.force) await confirmed(plans);
  for (const { supervisor, text, expectedHash } of plans) {
    const request = { text, expectedHash, dryRun: false, by: operatorName() };
    const outcome = await administrator.elevating(
      supervisor,
      SUPERVISOR,
      () =>
        supervisorClient(actors, supervisor)
          .updateConfiguration(request, { timeout: APPLY_TIMEOUT }),
    );
    if (!outcome.written) {
      printProblems(outcome, change.name);
      throw new EnsembleError(`${supervisor} has not taken ${change.name}`);
    }
    if (!change.json) printNotice(`... ${supervisor} has the new configuration`);
  }
}

async function planChange(
  actors: ActorSystem,
  supervisor: string,
  change: ConfigurationChange,
): Promise<Planned | undefined> {
  const client = supervisorClient(actors, supervisor);
  const { text: earlier, hash: expectedHash, path } = await client.configuration();
  const text = change.change(earlier);
  const by = operatorName();
  const outcome = await client.updateConfiguration({ text, expectedHash, dryRun: true, by });
  const isSame = text === earlier;
  if (change.json) {
    printJson({ supervisor, changed: !isSame, ...outcome }, { oneLine: true });
  } else {
    printProblems(outcome, change.name);
    if (isSame) printNotice(`... ${supervisor} has that configuration already`);
    else {
      const diff = unifiedDiff(earlier, text);
      const effects = outcome.differences ? describeDifferences(outcome.differences) : [];
      const head = [`--- ${supervisor}:${path}`, `+++ ${change.name}`];
      printText(`${[...head, ...diff, ...effects].join("\n")}\n`);
    }
  }
  if (isSame && outcome.differences) return undefined;
  return { supervisor, text, expectedHash, outcome };
}

function printProblems({ problems }: ConfigurationOutcome, name: string): void {
  for (const problem of problems) printNotice(formatProblem(name, problem));
}

/** Names what starts, stops and restarts, one kind a line. */
function describeDifferences(effects: ConfigurationDifferences): string[] {
  const withFields = (changed: ConfigurationDifferences["restarted"]) =>
    changed.map(({ id, fields }) => `${id} (${fields.join(", ")})`);
  const lines: [string, readonly string[]][] = [
    ["starts", effects.started],
    ["stops", effects.stopped],
    ["restarts", withFields(effects.restarted)],
    ["changes without a restart", withFields(effects.changed)],
    ["applies when the supervisor is restarted", effects.supervisor],
  ];
  const shown = lines.filter(([, names]) => names.length > 0)
    .map(([what, names]) => `${what}: ${names.join(", ")}`);
  return shown.length > 0 ? shown : ["no server is affected"];
}

async function confirmed(plans: readonly Planned[]): Promise<void> {
  const ids = plans.map(({ supervisor }) => supervisor).join(", ");
  if (!Deno.stdin.isTerminal()) {
    throw new EnsembleError(
      `this changes ${ids}: confirm it with --force, or look at it with --dry-run`,
    );
  }
  if (!await askYesOrNo(`Change ${ids}?`)) {
    throw new EnsembleError("canceled: nothing was changed");
  }
}
