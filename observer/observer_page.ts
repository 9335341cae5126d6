/**
 * The observer's page, with all that feeds it: what a console needs to show the ensemble.
 *
 * @module
 */
import { VERSION } from "../runtime/version.ts";
import type { ActorServer } from "../runtime/server/actor_server.ts";
import type { InternetAddress } from "../runtime/wire/address.ts";
import { EnsembleHistory } from "./ensemble_history.ts";
import { EventStreams } from "./event_streams.ts";
import { ObservedEnsemble } from "./observed_ensemble.ts";
import { PageAccess } from "./page_access.ts";
import { type Operator, PageActions } from "./page_actions.ts";
import { makePageFiles } from "./page_files.ts";
import { PageServer } from "./page_server.ts";
import { followRegistry } from "./registry_feed.ts";
import { pollInterval, type ServerAccess, ServerPolls } from "./server_polls.ts";
import { ServerViews } from "./server_views.ts";

/** How often pages are sent what has changed, in ms. */
const FLUSH_INTERVAL = 500;

/** How long servers are still asked when the last page is closed, in ms: it may be loaded again. */
const LINGER = 10_000;

/** Options of {@linkcode servePage}. */
export interface ObserverPageOptions extends Pick<ServerAccess, "elevate"> {
  /** Where to listen: an address of this host. */
  readonly listen: InternetAddress;
  /** Does what the page asks for; without one, the page only shows. */
  readonly operator?: Operator | undefined;
}

/** A page that is served. */
export interface ObserverPage {
  /** The URL to open. */
  readonly url: string;
  /** Resolves when it was ended; fails if the registry cannot be followed. */
  readonly ended: Promise<void>;
}

/**
 * Serves the page of an ensemble through a console.
 *
 * @throws {EnsembleError} if it cannot listen.
 */
export async function servePage(
  console: ActorServer,
  { listen, operator, elevate }: ObserverPageOptions,
): Promise<ObserverPage> {
  const access = new PageAccess();
  const ensemble = new ObservedEnsemble({
    version: VERSION,
    observer: console.id,
    ...operator && { actionToken: access.actionToken },
  }, pollInterval(0));
  const history = new EnsembleHistory();
  const serverAccess: ServerAccess = { actors: console.actors, elevate };
  using resources = new DisposableStack();
  const polls = resources.use(new ServerPolls(serverAccess, { ensemble, history }));
  const flush = () => {
    const changes = ensemble.takeChanges();
    if (changes) streams.send(changes);
  };
  let lingering: ReturnType<typeof setTimeout> | undefined;
  const streams = resources.use(
    new EventStreams({
      takeSnapshot() {
        flush();
        return ensemble.snapshot();
      },
      onCount(count) {
        clearTimeout(lingering);
        if (count > 0) polls.isOn = true;
        else lingering = setTimeout(() => polls.isOn = false, LINGER);
      },
    }),
  );
  const actions = operator && new PageActions(
    operator,
    ({ server }, details) => ensemble.note({ at: Date.now(), server, change: "action", details }),
  );
  const server = resources.use(
    await PageServer.open(listen, {
      access,
      files: await makePageFiles(),
      streams,
      views: new ServerViews(serverAccess, { ensemble, history }),
      actions,
    }),
  );
  const timer = setInterval(flush, FLUSH_INTERVAL);
  resources.defer(() => {
    clearInterval(timer);
    clearTimeout(lingering);
  });
  const open = resources.move();
  const ended = followRegistry(console, { ensemble, signal: console.signal }).finally(() =>
    open.dispose()
  );
  return { url: server.url, ended };
}
