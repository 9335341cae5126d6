/**
 * Names of running servers, actors and roles.
 *
 * Tab must not print errors: without a cookie, a registry, a server or an answer in time, there are
 * just no names.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { KnownServersFile } from "../../runtime/home/known_servers.ts";
import { controlClient, listPages, listServers } from "../../runtime/ensemble/remote.ts";
import { groupsOf, type RegistryEntry } from "../../runtime/server/registry_protocol.ts";
import { findPlaces } from "../../runtime/home/paths.ts";
import { formatAddressUrl } from "../../runtime/wire/address.ts";
import { within } from "../../runtime/timeout.ts";
import { startConsole } from "../kit/console.ts";
import { configurationPath, RUNNING_STATES } from "../kit/options.ts";
import type { ServerSet } from "../kit/server_set_options.ts";
import type { Candidate, LiveNames, Place } from "./candidates.ts";

/** The deadline for the whole process, in ms since its start. */
const DEADLINE = 900;

/** The minimum time for the ensemble's answer, however long the start took, in ms. */
const LEAST_TIMEOUT = 300;

/** The time that the console has to close its connections, in ms. */
const STOP_TIMEOUT = 50;

/** The maximum number of servers that are asked for the names of their actors. */
const MOST_ASKED = 16;

/** Finds names in this host's ensemble. */
export const liveNames: LiveNames = {
  async servers(place) {
    const entries = await registered(place);
    if (!entries) return [];
    const servers = entries.map(({ id, roles }) => ({ word: id, description: roles.join(", ") }));
    return [...servers, { word: REGISTRY_ID, description: "the registry" }];
  },

  supervisors: (place) =>
    askCandidates(place, async (actors) => {
      const { SUPERVISOR_ROLE } = await import("../../supervisor/supervisor_protocol.ts");
      const entries = await listServers(actors, { role: SUPERVISOR_ROLE, states: RUNNING_STATES });
      return entries.map(({ id }) => ({ word: id, description: "" }));
    }),

  supervisedHosts: (place) =>
    askCandidates(place, async (actors) => {
      const { SUPERVISOR_ROLE } = await import("../../supervisor/supervisor_protocol.ts");
      const { hostLabel } = await import("../../supervisor/configuration/configuration.ts");
      const entries = await listServers(actors, { role: SUPERVISOR_ROLE, states: RUNNING_STATES });
      return entries.map(({ id, host = "" }) => ({ word: hostLabel(host), description: id }));
    }),

  async supervisedServers(place) {
    const found: Candidate[] = [];
    // Without those that do not answer in time.
    await ask(place, async (actors) => {
      const { SUPERVISOR_ROLE, supervisorClient } = await import(
        "../../supervisor/supervisor_protocol.ts"
      );
      const entries = await listServers(actors, { role: SUPERVISOR_ROLE, states: RUNNING_STATES });
      await Promise.all(
        entries.slice(0, MOST_ASKED).map(async ({ id }) => {
          const listed = await supervisorClient(actors, id).list().catch(() => undefined);
          for (const { id: word, state } of listed?.servers ?? []) {
            found.push({ word, description: state });
          }
        }),
      );
    });
    return found.sort((a, b) => a.word < b.word ? -1 : 1);
  },

  async roles(place) {
    const holders = new Map<string, string[]>();
    for (const { id, roles } of await registered(place) ?? []) {
      for (const role of roles) holders.set(role, [...holders.get(role) ?? [], id]);
    }
    return [...holders].map(([role, ids]) => ({ word: role, description: ids.join(", ") }));
  },

  actors: (place, servers) =>
    askCandidates(place, async (actors) => {
      const server = await firstOf(actors, servers);
      const names = server === undefined ? [] : await controlClient(actors, server).listActors();
      return names.map((name) => ({ word: name, description: "" }));
    }),

  async references(place) {
    const found: Candidate[] = [];
    // Without those that do not answer in time.
    await ask(place, async (actors) => {
      const entries = await listServers(actors, { states: RUNNING_STATES });
      await Promise.all(
        entries.slice(0, MOST_ASKED).map(async ({ id }) => {
          const described = await controlClient(actors, id).describeActors({}).catch(() => []);
          for (const { name, types = [], essential = false } of described) {
            if (!essential) found.push({ word: `${name}@${id}`, description: types.join(", ") });
          }
        }),
      );
    });
    return found.sort((a, b) => a.word < b.word ? -1 : 1);
  },

  types: (place, { servers, actor }) =>
    askCandidates(place, async (actors) => {
      const server = await firstOf(actors, servers);
      if (server === undefined) return [];
      const [described] = await controlClient(actors, server).describeActors({ actor });
      return (described?.types ?? []).map((type) => ({ word: type, description: "" }));
    }),

  async groups(place) {
    const holders = new Map<string, string[]>();
    for (const entry of await registered(place) ?? []) {
      for (const group of groupsOf(entry)) {
        holders.set(group, [...holders.get(group) ?? [], entry.id]);
      }
    }
    return [...holders].map(([group, ids]) => ({ word: group, description: ids.join(", ") }));
  },

  typesOfGroup: (place, group) =>
    askCandidates(place, async (actors) => {
      for await (const { entries: [first] } of listPages(actors, { group, states: ["up"] })) {
        if (!first) return [];
        const control = controlClient(actors, first.id);
        const [actor] = await control.listMembers({ group });
        if (actor === undefined) return [];
        const [described] = await control.describeActors({ actor });
        return (described?.types ?? []).map((type) => ({ word: type, description: "" }));
      }
      return [];
    }),

  authorized: (place, server) =>
    askCandidates(place, async (actors) => {
      const delegations = await controlClient(actors, server).delegations();
      return delegations.map(({ server, capabilities }) => ({
        word: server,
        description: capabilities.join(", "),
      }));
    }),

  async known(place) {
    enter(place);
    try {
      return [...await new KnownServersFile(findPlaces().knownServers).read()].map((
        [id, addresses],
      ) => ({
        word: id,
        description: addresses.map(formatAddressUrl).join(", "),
      }));
    } catch {
      return [];
    }
  },

  async configured(place, file) {
    enter(place);
    const { readConfiguration } = await import(
      "../../supervisor/configuration/configuration_reading.ts"
    );
    try {
      const path = configurationPath({ config: file });
      const { configuration } = await readConfiguration(path);
      const { registry, servers = [] } = configuration ?? {};
      return [
        ...servers.map(({ id, role }) => ({ word: id, description: role })),
        ...registry ? [{ word: registry.id, description: "the registry" }] : [],
      ];
    } catch {
      return [];
    }
  },

  async certified(place) {
    enter(place);
    await import("npm:reflect-metadata@^0.2.2"); // First, for the reason in cli/commands/ca.ts.
    const { listIssued } = await import("../../runtime/pki/certificate_issuing.ts");
    try {
      const valid = (await listIssued(findPlaces())).filter(({ status }) => status === "valid");
      return [...new Set(valid.map(({ id }) => id))].map((id) => ({ word: id, description: "" }));
    } catch {
      return [];
    }
  },
};

/** The first server of a set. */
async function firstOf(actors: ActorSystem, servers: ServerSet): Promise<string | undefined> {
  if (servers !== "all" && "ids" in servers) return servers.ids[0];
  const role = servers === "all" ? undefined : servers.roles[0];
  for await (const { entries: [first] } of listPages(actors, { role, states: RUNNING_STATES })) {
    return first?.id;
  }
}

/** Switches this process to the ensemble that the line names. */
function enter({ gerbilPath }: Place): void {
  if (gerbilPath !== undefined) Deno.env.set("GERBIL_PATH", gerbilPath);
}

function registered(place: Place): Promise<RegistryEntry[] | undefined> {
  return ask(place, (actors) => listServers(actors));
}

async function askCandidates(
  place: Place,
  question: (actors: ActorSystem) => Promise<Candidate[]>,
): Promise<Candidate[]> {
  return await ask(place, question) ?? [];
}

/** Asks the ensemble; undefined if it does not answer in time. */
async function ask<Answer>(
  place: Place,
  question: (actors: ActorSystem) => Promise<Answer>,
): Promise<Answer | undefined> {
  let answer: Answer | undefined;
  const asked = (async () => {
    enter(place);
    const console = await startConsole(place);
    try {
      answer = await question(console.actors);
    } finally {
      void console.stop({ grace: 0 }).catch(() => {});
    }
    await within(STOP_TIMEOUT, console.stopped);
  })();
  await within(Math.max(LEAST_TIMEOUT, DEADLINE - performance.now()), asked);
  return answer;
}
