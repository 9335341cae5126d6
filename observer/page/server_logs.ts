/**
 * The log of one server, and its level.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { useEffect, useState } from "npm:preact@^11.2.0/hooks";
import { actionButton } from "./action_button.ts";
import { get } from "./feed.ts";
import { counted } from "./formatting.ts";
import { logList } from "./log_list.ts";
import { element, html } from "./markup.ts";
import { notice } from "./marks.ts";
import { MAX_LOGS, type Model } from "./model.ts";
import type {
  LogTail,
  ObservedLevel,
  ObservedLogRecord,
  ObservedServer,
  SettableLevel,
} from "./page_protocol.ts";

/** The levels that the log can be set to. */
const SETTABLE_LEVELS: readonly SettableLevel[] = ["debug", "info", "warning", "error"];

/** How long after an answer new records are read, in ms. */
const PAUSE = 1000;

/** The part of the view. */
export function serverLogs({ id, instance, status }: ObservedServer, model: Model): VNode {
  return element(ServerLogs, {
    // Another run of the server counts its records anew.
    key: `${id} ${instance}`,
    server: id,
    present: status?.log?.level,
    token: model.actionToken,
  });
}

interface ServerLogsProps {
  readonly server: string;
  readonly present: ObservedLevel | undefined;
  readonly token: string | undefined;
}

function ServerLogs({ server, present, token }: ServerLogsProps): VNode {
  const [level, setLevel] = useState<ObservedLevel>("trace");
  const { records, lost, error } = useLogTail(server, level);
  return html`
    <div>
      ${error !== undefined && notice(error, "error")}
      ${logList({
        title: html`<h2 class="hidden">Log</h2>`,
        records,
        leastLevel: "trace",
        level,
        onLevel: setLevel,
        namesServers: false,
        empty: "It has logged nothing at this level.",
        note: html`
          <div class="log-note">
            ${present !== undefined && html`<p class="hint">The server logs ${present} and up.</p>`}
            ${token !== undefined && element(LevelAction, { server, token })}
            ${lost > 0 &&
              html`<p class="warn">${counted(lost, "record")} were not read in time.</p>`}
          </div>
        `,
      })}
    </div>
  `;
}

function LevelAction({ server, token }: { server: string; token: string }): VNode {
  const [level, setLevel] = useState<SettableLevel>("debug");
  const choose = (event: Event) =>
    setLevel((event.target as HTMLSelectElement).value as SettableLevel);
  return html`
    <div class="level-action">
      <label class="field">
        Set it to
        <select value=${level} onChange=${choose}>
          ${SETTABLE_LEVELS.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}
        </select>
      </label>
      ${actionButton({
        text: "for 10 minutes",
        meaning: `Set the log level of ${server} to ${level} for ten minutes`,
        request: { action: "set-log-level", server, level, duration: 600_000 },
        token,
      })}
    </div>
  `;
}

interface Tail {
  readonly records: readonly ObservedLogRecord[];
  readonly lost: number;
  readonly error?: string;
}

const EMPTY: Tail = { records: [], lost: 0 };

/** The last records of a server, and those that come. */
function useLogTail(server: string, level: ObservedLevel): Tail {
  const [tail, setTail] = useState(EMPTY);
  useEffect(() => {
    const ended = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let after: string | undefined;
    const ask = async () => {
      const query = new URLSearchParams({
        level,
        ...after !== undefined && { after },
      });
      const path = `api/servers/${encodeURIComponent(server)}/logs?${query}`;
      try {
        const { records, next, lost } = await get<LogTail>(path, ended.signal);
        const isFirst = after === undefined;
        after = next;
        setTail((known) => ({
          records: isFirst
            ? records
            : records.length === 0
            ? known.records
            : [...known.records, ...records].slice(-MAX_LOGS),
          lost: (isFirst ? 0 : known.lost) + lost,
        }));
      } catch (error) {
        if (ended.signal.aborted) return;
        setTail((known) => ({ ...known, error: (error as Error).message }));
      }
      if (!ended.signal.aborted) timer = setTimeout(ask, PAUSE);
    };
    ask();
    return () => {
      ended.abort();
      clearTimeout(timer);
    };
  }, [server, level]);
  return tail;
}
