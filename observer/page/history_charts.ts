/**
 * The charts of the last ten minutes, of one server or of all.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { chart } from "./chart.ts";
import { count, milliseconds, share, short, size } from "./formatting.ts";
import { usePolled } from "./live_values.ts";
import { notice } from "./marks.ts";
import { element, html } from "./markup.ts";
import type { ServerHistory } from "./page_protocol.ts";

/** The history has a new value about as often, in ms. */
const PAUSE = 5000;

/** The charts of a server, or of all if no id is given. */
export function historyCharts(server?: string): VNode {
  return element(HistoryCharts, { server });
}

function HistoryCharts({ server }: { server: string | undefined }): VNode {
  const isOne = server !== undefined;
  const path = isOne ? `api/servers/${encodeURIComponent(server)}/history` : "api/history";
  const { answer, error } = usePolled<ServerHistory>(path, PAUSE);
  if (!answer) return notice(error ?? "Reading the last ten minutes …", error ? "error" : "empty");
  if (answer.at.length < 2) return notice("There are no figures yet: the first come in 10 s.");
  const { at, columns } = answer;
  return html`
    <div class="charts">
      ${chart({
        title: "Messages per second",
        at,
        format: short,
        atLeast: 1,
        series: [
          { label: "received", values: columns.receivedMessagesPerSecond },
          { label: "sent", values: columns.sentMessagesPerSecond },
        ],
      })}
      ${chart({
        title: isOne ? "Event-loop delay, p99" : "Event-loop delay, p99, worst server",
        at,
        format: milliseconds,
        atLeast: 10,
        series: [{ label: "delay", values: columns.eventLoopDelayP99 }],
      })}
      ${chart({
        title: isOne ? "Processor, share of a core" : "Processor cores in use, all servers",
        at,
        format: isOne ? share : short,
        atLeast: 0.1,
        series: [{ label: "used", values: columns.cpu }],
      })}
      ${chart({
        title: isOne ? "Memory" : "Memory, all servers",
        at,
        format: size,
        atLeast: 1e6,
        series: [
          { label: "resident", values: columns.rss },
          { label: "heap", values: columns.heapUsed },
        ],
      })}
      ${chart({
        title: isOne ? "Longest mailbox" : "Longest mailbox, worst server",
        at,
        format: count,
        atLeast: 10,
        series: [{ label: "messages", values: columns.longestMailbox }],
      })}
      ${chart({
        title: "Actors, and asks that wait",
        at,
        format: count,
        atLeast: 10,
        series: [
          { label: "actors", values: columns.actors },
          { label: "asks", values: columns.asksPending },
        ],
      })}
    </div>
  `;
}
