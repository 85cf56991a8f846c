/**
 * The page in a real browser, against the whole pipeline. One pipeline and one browser serve all of its scenarios, each of
 * which stands in a file of its own.
 */
import './browser/access.ts';
import './browser/create.ts';
import './browser/form.ts';
import './browser/outputs.ts';
import './browser/policy.ts';
import './browser/recovery.ts';
