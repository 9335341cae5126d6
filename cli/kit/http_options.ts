/**
 * The options of commands that run a server with an HTTP endpoint: `--http` and `--http-token`.
 *
 * @module
 */
import { type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import type { EnsembleServer } from "../../runtime/ensemble/ensemble_server.ts";
import { formatEndpoint, type InternetAddress, isLoopback } from "../../runtime/wire/address.ts";
import { parseHttpAddress } from "../../runtime/wire/http_address.ts";
import { completing, reading } from "./declaration.ts";

/** The options of a server's HTTP endpoint. */
export interface HttpOptions {
  /** Where to listen; undefined for no endpoint. */
  http?: InternetAddress | undefined;
  /** The file with the token that its clients send. */
  httpToken?: string | undefined;
}

/** `--http`. */
export const httpOption = () =>
  completing(
    "nothing",
    new Option(
      "--http <address>",
      "serves /metrics, /alive and /ready over HTTP at <host>:<port>; with only a port, at 127.0.0.1",
    ).default<InternetAddress | undefined>(undefined, "#f")
      .argParser<InternetAddress | undefined>(reading(parseHttpAddress)),
  );

/** `--http-token`. */
export const httpTokenOption = () =>
  completing(
    "files",
    new Option(
      "--http-token <file>",
      "file with the token that clients of --http have to send; needed if other hosts can connect",
    ),
  );

/** Reports an endpoint that other hosts could use without a token as wrong usage. */
export function requireHttpToken(
  { http, httpToken }: HttpOptions,
  command: CommandUnknownOpts,
): void {
  if (httpToken !== undefined && !http) command.error("--http-token needs --http");
  if (!http || httpToken !== undefined || isLoopback(http.host)) return;
  command.error(
    `other hosts can connect to ${formatEndpoint(http)}: name a file with a token for them, ` +
      `--http-token <file>, or listen on this host only, --http ${http.port}`,
  );
}

/** Opens the endpoint of a server that starts, if it has one. It closes with the server. */
export async function serveHttp(
  server: EnsembleServer,
  { http, httpToken }: HttpOptions,
): Promise<void> {
  if (!http) return;
  const { MonitoringEndpoint } = await import("../../observer/monitoring_endpoint.ts");
  server.hold(await MonitoringEndpoint.open(server, { address: http, tokenFile: httpToken }));
}
