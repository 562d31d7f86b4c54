/** Every English word the page shows, by feature. */
import { account } from "./account";
import { admin } from "./admin";
import { auth } from "./auth";
import { codes } from "./codes";
import { common, errors, live, shell, status, time } from "./common";
import { dashboard } from "./dashboard";
import { jobs } from "./jobs";
import { models } from "./models";
import { run } from "./run";

export const text = { common, errors, time, live, shell, status, auth, codes, dashboard, jobs, models, run, account, admin };
