/** How the report looks: light or dark as the reader has it, on a phone too. The colours are the charts' of bench. */
import { Html } from './html.ts'

export const STYLE: Html = new Html(`
:root{color-scheme:light dark;--paper:#f2f4f7;--card:#fff;--ink:#1f2933;--quiet:#52606d;--line:#d9dfe5;--grid:#e9edf1;--good:#0072b2;--bad:#b8420a;--p99:#8a6100;--band:#fbe8c8;--held:#0b6b3a;--held-on:#e0f5e8;--broken-on:#fdebe2;--forgot:#7b8794}
@media(prefers-color-scheme:dark){:root{--paper:#0f1418;--card:#181f26;--ink:#e4e7eb;--quiet:#a3b0bd;--line:#2e3a45;--grid:#252f38;--good:#56b4e9;--bad:#ff9466;--p99:#e6c34a;--band:#3a3018;--held:#7fdca4;--held-on:#12331f;--broken-on:#40210f;--forgot:#9aa5b1}}
*{box-sizing:border-box}
html{scroll-behavior:smooth}@media(prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0 auto;max-width:1080px;padding:32px 16px 48px;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{margin:0;font-size:1rem;font-weight:600;color:var(--quiet)}
h2{display:flex;flex-wrap:wrap;gap:4px 12px;align-items:center;margin:0 0 4px;font-size:1.2rem;line-height:1.3}
p{margin:8px 0}.small,figcaption{font-size:.85rem;color:var(--quiet)}
a{color:var(--good)}:focus-visible{outline:3px solid var(--good);outline-offset:2px}
code{font:.85em ui-monospace,SFMono-Regular,Menlo,monospace;overflow-wrap:anywhere}
section,nav{margin-top:20px;padding:18px 20px;border:1px solid var(--line);border-radius:12px;background:var(--card)}
.held{color:var(--held)}.broken{color:var(--bad)}
.verdict{margin:0;font-size:2rem;font-weight:700;line-height:1.2;letter-spacing:-.01em}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px;margin:20px 0}
.tiles div{display:flex;flex-direction:column-reverse;padding:12px 16px;border:1px solid var(--line);border-radius:12px;background:var(--card)}
.tiles dt{font-size:.85rem;color:var(--quiet)}.tiles dd{margin:0;font-size:1.6rem;font-weight:650;line-height:1.2;font-variant-numeric:tabular-nums}
.tag{padding:1px 10px;border-radius:999px;font-size:.85rem;font-weight:600;white-space:nowrap}.tag.held{background:var(--held-on)}.tag.broken{background:var(--broken-on)}
nav ol{columns:2;column-gap:40px;margin:0;padding:0;list-style:none}nav li{display:flex;gap:12px;justify-content:space-between;padding:3px 0;break-inside:avoid}
.wide{overflow-x:auto}figure{margin:12px 0}figcaption{display:flex;flex-wrap:wrap;gap:2px 16px;margin-top:4px}
table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{padding:5px 12px 5px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}th:last-child,td:last-child{padding-right:0}
thead th{font-weight:600;color:var(--quiet);vertical-align:bottom}tbody th{font-weight:400}tbody tr:last-child>*{border-bottom:0}
th code{color:var(--quiet)}td code{color:inherit}th code{white-space:nowrap}.rule{margin-right:6px}.found{margin-right:10px;white-space:nowrap}
.number{text-align:right;font-variant-numeric:tabular-nums}td.number{white-space:nowrap}td.number.held,td.number.broken{font-weight:700}
details{margin:8px 0}summary{cursor:pointer;padding:2px 0}.sequence{white-space:nowrap}.sequence td:last-child{white-space:normal;min-width:260px}.span{display:block;margin-top:6px}
.timeline{display:block;width:100%;min-width:860px;height:auto}
.timeline text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--quiet)}.timeline .name{fill:var(--ink)}.timeline .end{text-anchor:end}.timeline .middle{text-anchor:middle}
svg .good{fill:var(--good)}svg .bad{fill:var(--bad)}.timeline .band{fill:var(--band)}.timeline .fault{fill:var(--p99)}.timeline .grid{stroke:var(--grid);fill:none}
.timeline polyline{fill:none;stroke-width:1.75;stroke-linejoin:round}.timeline .p50{stroke:var(--good)}.timeline .p99{stroke:var(--p99);stroke-dasharray:5 3}
.timeline .violation{fill:var(--bad);stroke:var(--card)}.timeline .violation.excused{fill:var(--card);stroke:var(--forgot);stroke-width:1.5}
.key{display:inline-block;width:11px;height:11px;margin-right:6px;border-radius:2px}
.key.good{background:var(--good)}.key.bad{background:var(--bad)}.key.band{background:var(--band);outline:1px solid var(--line)}
.key.violation,.key.excused{background:var(--bad);clip-path:polygon(50% 0,100% 100%,0 100%);border-radius:0}.key.excused{background:var(--forgot)}
.key.p50,.key.p99{width:18px;height:0;border-top:2px solid var(--good);border-radius:0;vertical-align:4px}.key.p99{border-top:2px dashed var(--p99)}
@media(max-width:700px){body{padding:20px 12px 32px}section,nav{padding:14px}.verdict{font-size:1.6rem}nav ol{columns:1}.tiles{grid-template-columns:1fr 1fr;gap:8px}.rules tr{display:grid;grid-template-columns:repeat(auto-fit,minmax(58px,1fr));column-gap:8px;border-bottom:1px solid var(--line);padding:6px 0}.rules tbody tr:last-child{border:0}.rules th,.rules td{border:0;padding:1px 0;text-align:left}.rules tr>:first-child{grid-column:1/-1}.rules td.number{white-space:normal}nav li{flex-wrap:wrap}}
@media print{section,nav{break-inside:avoid}}
`)
