/** How the report looks: light or dark as the reader has it, on a phone too. */
import { Html } from './html.ts'

export const STYLE: Html = new Html(`
:root{color-scheme:light dark;--paper:#fff;--ink:#1f2933;--quiet:#52606d;--line:#d9dee4;--card:#f6f8fa;--good:#0072b2;--bad:#c2410c;--p99:#8a6d00;--band:#f3e3c3;--held:#0b6b3a;--held-on:#dff5e7;--broken-on:#fde4d8}
@media(prefers-color-scheme:dark){:root{--paper:#12171c;--ink:#e4e7eb;--quiet:#a3b0bd;--line:#33404c;--card:#1a2128;--good:#56b4e9;--bad:#ff9466;--p99:#e6c34a;--band:#3d3420;--held:#7fdca4;--held-on:#12331f;--broken-on:#43210f}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1040px;padding:24px 16px 64px;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{margin:0;font-size:1.7rem}h2{margin:0 0 4px;font-size:1.2rem}h2.apart{margin:40px 0 0}
p{margin:8px 0}.small{font-size:.85rem;color:var(--quiet)}
code{font:.85rem ui-monospace,SFMono-Regular,Menlo,monospace;overflow-wrap:anywhere}
section{margin-top:24px;padding:16px;border:1px solid var(--line);border-radius:10px;background:var(--card)}
.verdict{font-size:1.3rem;font-weight:600}.verdict.held{color:var(--held)}.verdict.broken{color:var(--bad)}
.tag{display:inline-block;padding:1px 10px;border-radius:999px;font-size:.85rem;font-weight:600;vertical-align:middle}
.tag.held{background:var(--held-on);color:var(--held)}.tag.broken{background:var(--broken-on);color:var(--bad)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{padding:4px 10px 4px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th{font-weight:600;color:var(--quiet)}.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}td.bad{color:var(--bad);font-weight:700}
details{margin:8px 0}summary{cursor:pointer}
.timeline{display:block;width:100%;min-width:560px;height:auto}
.timeline text{font:11px system-ui,sans-serif;fill:var(--quiet)}.timeline .name{fill:var(--ink)}
.timeline .good{fill:var(--good)}.timeline .bad{fill:var(--bad)}.timeline .band{fill:var(--band)}.timeline .fault{fill:var(--p99)}
.timeline polyline{fill:none;stroke-width:1.5}.timeline .p50{stroke:var(--good)}.timeline .p99{stroke:var(--p99);stroke-dasharray:4 2}
.timeline .violation{fill:var(--bad);stroke:var(--paper)}
.key{display:inline-block;width:12px;height:12px;margin-left:10px;border-radius:2px;vertical-align:-1px}
.key.good{background:var(--good)}.key.bad{background:var(--bad)}.key.band{background:var(--band)}.key.violation{background:var(--bad);clip-path:polygon(50% 0,100% 100%,0 100%)}
.key.p50,.key.p99{height:0;border-top:3px solid var(--good);vertical-align:4px}.key.p99{border-top:3px dashed var(--p99)}
`)
