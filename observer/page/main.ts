/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The observer's page. It runs in a browser, whose types the lines above add for all modules of the
 * project: a configuration of the folder's own would keep it out of the published package.
 *
 * @module
 */
import { render } from "npm:preact@^11.2.0";
import { app } from "./app.ts";
import { follow } from "./feed.ts";
import { Model } from "./model.ts";
import { applyTheme } from "./theme.ts";

const model = new Model();
applyTheme();
render(app(model), document.getElementById("page")!);
follow(model);
