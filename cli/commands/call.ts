/**
 * The commands that send a message to an actor: `gxensemble call` waits for the answer, `tell` does
 * not.
 *
 * @module
 */
import {
  Argument,
  Command,
  type CommandUnknownOpts,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { ActorRef, parseActorId } from "../../runtime/actor/references.ts";
import { quoted } from "../../runtime/safe_text.ts";
import { completing } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import { messageArgument, messageTypeArgument, readMessage } from "../kit/message_arguments.ts";
import { jsonOption, logOption, supervisorPassphraseOption } from "../kit/options.ts";
import { printValue } from "../kit/output.ts";
import {
  type ActorSet,
  addParallelOptions,
  addServersOptions,
  namedActors,
  readNames,
  replacingOption,
  type SetOptions,
} from "../kit/server_set_options.ts";

/** Sends requests to actors, and prints their answers. */
export function callCommand(): CommandUnknownOpts {
  return messageCommand("call", "sends a request to an actor, prints the answer")
    .addHelpText(
      "after",
      examples(
        ["ask the service counter in httpd1", "gxensemble call counter@httpd1 add amount=3"],
        [
          "pass the arguments as JSON, or from another command",
          `gxensemble call jobs@dispatcher add '{"job": {"text": "hello"}}'`,
          "jq -c .request file.json | gxensemble call jobs@dispatcher add -",
        ],
        [
          "ask that service in all servers with a role",
          "gxensemble call --role httpd counter add amount=3",
        ],
      ),
    )
    .action(async (name, type, texts, options, command) => {
      const { servers, actorIn } = readActors(name, { ...options, command });
      const message = await readMessage(type, texts, command);
      const { inEachServer } = await import("../kit/server_set.ts");
      const { askActor } = await import("../kit/actor_messages.ts");
      const { renderJson, renderValue } = await import("../../runtime/code/evaluation.ts");
      await inEachServer(servers, {
        ...options,
        oneLine: true,
        async work(server, { actors }) {
          const ref = new ActorRef(server, actorIn(server)!);
          const answer = await askActor(actors, ref, message);
          return options.json ? JSON.parse(renderJson(answer) ?? "null") : renderValue(answer);
        },
        print: (text, label) => text === undefined || printValue(text, label),
        toJson: (value) => value,
      });
    });
}

/** Sends messages to actors, and waits for no answer. */
export function tellCommand(): CommandUnknownOpts {
  return messageCommand("tell", "sends a message to an actor, and waits for no answer")
    .addHelpText(
      "after",
      examples(
        ["tell the actor log in httpd1", "gxensemble tell log@httpd1 rotate"],
        ["tell it in all servers", "gxensemble tell --all log rotate"],
      ),
    )
    .action(async (name, type, texts, options, command) => {
      const { servers, actorIn } = readActors(name, { ...options, command });
      const message = await readMessage(type, texts, command);
      const { inEachServer } = await import("../kit/server_set.ts");
      const { tellActor } = await import("../kit/actor_messages.ts");
      await inEachServer(servers, {
        ...options,
        async work(server, { actors }) {
          const actor = actorIn(server)!;
          await tellActor(actors, new ActorRef(server, actor), message);
          return { server, actor, result: "sent" };
        },
        print: () => {},
        toJson: (result) => result,
      });
    });
}

/**
 * Reads `actor@server`, or for several servers `actor@a,b` and `actor@a,other@b`: a server without
 * an actor has that of the one before it. With `--role` or `--all`, reads the name of an actor.
 */
function readActors(
  text: string,
  { command, ...options }: SetOptions & { command: CommandUnknownOpts },
): ActorSet {
  if (replacingOption(options) !== undefined) {
    return namedActors([], { ...options, actorId: parseActorId(text), command });
  }
  let actor: string | undefined;
  const names = readNames(text, command).map((name) => {
    if (!name.includes("@")) return `${actor ?? ""}@${name}`;
    actor = name.slice(0, name.indexOf("@"));
    return name;
  });
  if (actor === undefined) command.error(`no actor is named: ${quoted(text)} has no @`);
  return namedActors(names, { actorId: undefined, command });
}

/** A command that takes actors and a message. */
function messageCommand(name: string, description: string) {
  const actors = new Argument(
    "<actor@server>",
    "the actor; in several servers actor@a,b, with --role or --all its name alone",
  );
  return addParallelOptions(addServersOptions(new Command(name).description(description)))
    .addOption(supervisorPassphraseOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"))
    .addArgument(completing("references", actors))
    .addArgument(messageTypeArgument())
    .addArgument(messageArgument());
}
