/**
 * The protocol of the actor `supervisor`, which a host's supervisor serves: its servers, its
 * configuration, programs and files of its host.
 *
 * @module
 */
import type { AskOptions, Destination, Messaging } from "../runtime/actor/messaging.ts";
import { ActorRef } from "../runtime/actor/references.ts";
import { type Client, client, type RequestChecks } from "../runtime/actor/service.ts";
import { EnsembleError } from "../runtime/errors.ts";
import { answerChecks, requestChecks } from "../runtime/server/request_checks.ts";
import {
  executionAnswers,
  executionChecks,
  type ExecutionHandlers,
} from "./executions_protocol.ts";
import {
  hostConfigurationAnswers,
  hostConfigurationChecks,
  type HostConfigurationHandlers,
} from "./host_configuration_protocol.ts";
import {
  supervisedServerAnswers,
  supervisedServerChecks,
  type SupervisedServerHandlers,
} from "./supervised_servers_protocol.ts";
import { uploadAnswers, uploadChecks, type UploadHandlers } from "./uploads_protocol.ts";

/** The longest part of the id of a supervisor that comes from the name of its host. */
const MAX_LABEL = 53;

/** The id of the supervisor of a host, which is named by the first label of its name. */
export function supervisorId(host: string): string {
  return `supervisor-${host.replaceAll(/[^A-Za-z0-9_-]/g, "-").slice(0, MAX_LABEL)}`;
}

/** The name of the actor. */
export const SUPERVISOR_ACTOR = "supervisor";

/** The role that every host's supervisor has in the registry. */
export const SUPERVISOR_ROLE = "supervisor";

/** The handlers of the actor `supervisor`, for `client`. */
export type SupervisorHandlers =
  & SupervisedServerHandlers
  & HostConfigurationHandlers
  & ExecutionHandlers
  & UploadHandlers;

/** The checks of the actor `supervisor`. */
export const supervisorChecks: RequestChecks = requestChecks<SupervisorHandlers>({
  ...supervisedServerChecks,
  ...hostConfigurationChecks,
  ...executionChecks,
  ...uploadChecks,
});

/** The checks of answers from another server's actor `supervisor`. */
const supervisorAnswers = answerChecks<SupervisorHandlers>({
  ...supervisedServerAnswers,
  ...hostConfigurationAnswers,
  ...executionAnswers,
  ...uploadAnswers,
});

/**
 * A host's supervisor: `list`, `start`, `stop` and more. If the server has no such actor, the error
 * says that it is no supervisor.
 */
export function supervisorClient(
  asker: Pick<Messaging, "ask">,
  id: string,
): Client<SupervisorHandlers> {
  const supervisor = new ActorRef(id, SUPERVISOR_ACTOR);
  const explaining = {
    async ask<Reply>(dest: Destination, message: unknown, options?: AskOptions): Promise<Reply> {
      try {
        return await asker.ask<Reply>(dest, message, options);
      } catch (error) {
        if (!(error instanceof EnsembleError) || error.code !== "UNKNOWN_ACTOR") throw error;
        throw notSupervisor(id, error);
      }
    },
  };
  return client<SupervisorHandlers>(explaining, supervisor, { answers: supervisorAnswers });
}

/** The error for a server that lacks an actor which every supervisor has. */
export function notSupervisor(id: string, cause: EnsembleError): EnsembleError {
  return new EnsembleError(
    `${id} is not a host's supervisor: list them with gxensemble lookup --role ${SUPERVISOR_ROLE}`,
    { code: cause.code, cause },
  );
}
