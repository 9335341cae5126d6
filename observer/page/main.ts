/**
 * The observer's page.
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
