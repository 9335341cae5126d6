/**
 * `gxensemble repl`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/references.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { escapeControls } from "../../runtime/safe_text.ts";
import { Administrator } from "../kit/administrator.ts";
import { explainLoss, withConsole } from "../kit/console.ts";
import type { ClientOptions } from "../kit/options.ts";
import { printNotice, printText, printValue } from "../kit/output.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";
import { History, historyPath } from "../repl/editor/history.ts";
import { ImportResolver } from "../repl/import_resolver.ts";
import { complete } from "../repl/completion.ts";
import { Repl, type ReplContext, runPiped } from "../repl/repl.ts";
import { RemoteSession } from "../repl/remote_session.ts";
import { Terminal } from "../repl/terminal.ts";

/** Options of {@linkcode repl}. */
export interface ReplOptions extends ClientOptions, PassphraseOptions {
  /** The prefixes of the modules that the server itself finds. */
  libraryPrefix: string[];
}

/** Where the REPL is shown. */
type Screen = Pick<ReplContext, "print" | "printValue" | "printError">;

/** Evaluates what is typed, or what comes through a pipe, in a running server. */
export async function repl(serverId: ServerId, options: ReplOptions): Promise<void> {
  const isTerminal = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  await withConsole(options, async (actors, console) => {
    const administrator = new Administrator(console, options);
    const elevating: ReplContext["elevating"] = (capability, work) =>
      administrator.elevating(serverId, capability, work);
    const lost = new AbortController();
    let screen: Screen = {
      print: (text) => printText(`${text}\n`),
      printValue,
      printError: printNotice,
    };
    const resolver = await ImportResolver.open(Deno.cwd(), options.libraryPrefix);
    const session = await RemoteSession.open(actors, {
      server: serverId,
      resolver,
      preview: { oneLine: !isTerminal },
      timeout: options.timeout,
      elevating: (work) => elevating("loader", work),
      onOutput: (text) => screen.print(text),
      async onLost(reason = "its session has ended") {
        const loss = new EnsembleError(`lost ${serverId}: ${reason}`);
        lost.abort(await explainLoss(loss, { actors, server: serverId }));
      },
    });
    const evaluator = new Repl({
      actors,
      server: serverId,
      session,
      libraryPrefix: options.libraryPrefix,
      timeout: options.timeout,
      elevating,
      print: (line) => screen.print(escapeControls(line)),
      printValue: (text) => screen.printValue(text),
      printError: (text) => screen.printError(text),
    });
    if (!isTerminal) return await runPiped(evaluator, lost.signal);
    const terminal = new Terminal({
      prompt: `${serverId}> `,
      history: await History.open(historyPath()),
      complete: (text) => complete(text, { session, resolver }),
    });
    administrator.runPrompt = (prompt) => terminal.lend(prompt);
    administrator.asksAgain = true;
    screen = {
      print: (text) => terminal.print(text),
      printValue: (text) => terminal.printValue(text),
      printError: (text) => terminal.print(text),
    };
    await terminal.run(evaluator, lost.signal);
  });
}
