"""How the page looks, by day and by night, and what a script adds: columns that are sorted by a click."""

from __future__ import annotations

from rr_bench.doctor.as_html import COLOURS

STYLE = (
    COLOURS
    + """
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:80rem;padding:1rem;color:var(--text);
background:var(--ground);overflow-wrap:anywhere}
h1,h2,h3{line-height:1.25}h2{margin-top:2.5rem;border-bottom:1px solid var(--line);padding-bottom:.25rem}
a{color:var(--first)}.quiet,figcaption,caption{color:var(--quiet)}p{max-width:60rem}
.scroll{overflow-x:auto;margin:1rem 0}.scroll:focus-visible{outline:2px solid var(--first)}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem;overflow-wrap:normal}
caption{text-align:left;padding-bottom:.25rem}
th,td{border-bottom:1px solid var(--line);padding:.3rem .6rem;text-align:left;vertical-align:baseline}
th,td{white-space:nowrap}
thead th{vertical-align:bottom}.number,.number button{text-align:right}
tbody th{position:sticky;left:0;background:var(--ground);font-weight:normal}
th button{font:inherit;font-weight:bold;color:inherit;background:none;border:0;padding:0;cursor:pointer;
text-align:inherit}
th button::after{content:" ↕";color:var(--quiet)}th[aria-sort=ascending] button::after{content:" ↑"}
th[aria-sort=descending] button::after{content:" ↓"}
.badge{border:1px solid currentColor;border-radius:.3rem;padding:0 .3rem;font-size:.8em}
.fault,.FAILED{color:var(--bad)}.warning{color:var(--care)}
.figures{display:flex;flex-wrap:wrap;gap:1.5rem;align-items:flex-start}
figure{margin:0;flex:0 1 28rem;min-width:0;max-width:100%}figure.small{flex:1 1 17rem;max-width:21rem}
svg{width:100%;height:auto;display:block}svg text{fill:var(--text);font-size:12px}svg .quiet{fill:var(--quiet)}
svg .axis{stroke:var(--line)}svg .first{fill:var(--first);stroke:var(--first)}svg .front{fill:none;stroke:var(--second)}
svg .up{fill:var(--first)}svg .down{fill:var(--second)}svg .other{fill:var(--quiet);stroke:var(--quiet)}
svg[width] text{font-size:17px}figure ol{font-size:.9rem;columns:2;column-gap:2.4rem;padding-left:1.8rem}
details{margin:.5rem 0}summary{cursor:pointer;padding:.25rem 0}
details.query{margin-left:1rem}.bad{margin:.25rem 0 1rem;padding-left:1.6rem;font-size:.9rem}
.truth{font-weight:bold;color:var(--good)}code{font-size:.9em}
@media(max-width:40rem){tbody th span{display:inline-block;width:max-content;max-width:42vw;white-space:normal;
overflow-wrap:anywhere}figure ol{columns:1}
details.query{margin-left:0}}
@media print{details>*{display:block}}
"""
)
SCRIPT = """
document.querySelectorAll("table.sortable").forEach(table => {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const value = row => {
        const cell = row.cells[place];
        return cell.dataset.key === undefined ? cell.textContent.trim() : Number(cell.dataset.key);
      };
      const numbers = [...body.rows].some(row => typeof value(row) === "number");
      const down = head.ariaSort ? head.ariaSort === "ascending" : numbers;
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const empty = row => numbers && typeof value(row) !== "number";
      const sorted = [...body.rows].sort((a, b) => {
        if (empty(a) || empty(b)) return empty(a) - empty(b);
        const [x, y] = [value(a), value(b)];
        return (down ? -1 : 1) * (numbers ? x - y : x.localeCompare(y));
      });
      body.append(...sorted);
    });
  });
});
"""
