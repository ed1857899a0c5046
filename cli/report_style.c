#include "cli/report_style.h"

#include "cli/plot.h"

void report_style(struct text *out)
{
    text_add(out,
             ":root{color-scheme:light dark;--sheet:#fff;--ink:#1b1f24;--soft:#5c6670;--line:#dfe3e8;--wash:#f5f7f9;"
             "--blue:#1f5fd0}\n"
             "*{box-sizing:border-box}\n"
             "html{background:var(--sheet);-webkit-text-size-adjust:100%}\n"
             "body{margin:0 auto;max-width:68rem;padding:2rem 1.25rem 3rem;color:var(--ink);background:var(--sheet);"
             "font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;"
             "overflow-wrap:break-word}\n"
             "h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem;letter-spacing:-.01em}\n"
             "h2{font-size:1.15rem;margin:2.8rem 0 .8rem}\n"
             "p{margin:.4rem 0;max-width:46rem}.soft{color:var(--soft)}\n"
             "a{color:var(--blue)}\n"
             "code{font:.82em/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}\n"
             "pre{margin:.8rem 0;padding:.7rem .9rem;background:var(--wash);border-radius:6px;white-space:pre-wrap;"
             "overflow-wrap:anywhere}\n"
             "figure{margin:0}figcaption{color:var(--soft);font-size:.88rem;line-height:1.45;margin-top:.4rem;"
             "max-width:46rem}\n"
             "svg{display:block;width:100%;height:auto}svg.narrow{display:none}\n");
    text_add(out,
             ".facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.9rem 1.5rem;"
             "margin:1.6rem 0 0;padding:1rem 0;border:solid var(--line);border-width:1px 0}\n"
             ".facts div{display:flex;flex-direction:column-reverse;justify-content:flex-end}\n"
             ".facts dt{color:var(--soft);font-size:.85rem;line-height:1.3}\n"
             ".facts dd{margin:0;font-size:1.35rem;font-weight:600;line-height:1.25;font-variant-numeric:tabular-nums}\n"
             ".pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem 2rem}\n"
             ".three{display:grid;grid-template-columns:repeat(3,1fr);gap:1rem 2rem}\n"
             ".cells{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:1rem}\n"
             ".cells figure{border:1px solid var(--line);border-radius:8px;padding:.8rem .9rem;"
             "scroll-margin-top:1rem;display:flex;flex-direction:column}\n"
             ".cells figure:target{border-color:var(--blue);box-shadow:0 0 0 1px var(--blue)}\n"
             ".cells svg{margin:auto 0}\n"
             ".cells figcaption{color:var(--ink);font-variant-numeric:tabular-nums}.cells b{font-size:1rem}\n"
             ".tag{display:inline-block;font-size:.75rem;border:1px solid var(--line);border-radius:1em;"
             "padding:0 .55em;margin-left:.4em;color:var(--soft)}\n");
    text_add(out,
             "table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}\n"
             "th,td{text-align:right;padding:.38rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}\n"
             "th:first-child,td:first-child{padding-left:0}\n"
             "th{white-space:nowrap;font-weight:600;vertical-align:bottom}th.t,td.t{text-align:left}\n"
             "td.t code{color:var(--soft)}\n"
             "th button{all:unset;cursor:pointer}th button:focus-visible{outline:2px solid var(--blue)}\n"
             "th button::after{content:'\\2195';opacity:.35;padding-left:.3em}\n"
             "th[aria-sort=ascending] button::after{content:'\\2191';opacity:1}\n"
             "th[aria-sort=descending] button::after{content:'\\2193';opacity:1}\n"
             "tr:target td{background:var(--wash)}\n"
             ".bars{display:grid;grid-template-columns:max-content 1fr max-content;gap:.35rem .9rem;align-items:center;"
             "font-size:.9rem;font-variant-numeric:tabular-nums;max-width:46rem}\n"
             ".bars i{display:block;height:.8rem;background:var(--blue);border-radius:0 3px 3px 0;min-width:1px}\n"
             ".bars span:nth-child(3n){text-align:right;color:var(--soft)}\n"
             ".options{columns:2;column-gap:2.5rem;margin:0;font-size:.88rem}\n"
             ".options div{display:flex;justify-content:space-between;gap:1rem;padding:.2rem 0;"
             "border-bottom:1px solid var(--line);break-inside:avoid}\n"
             ".options dt{color:var(--soft);flex:none}.options dd{margin:0;text-align:right;min-width:0;"
             "overflow-wrap:anywhere}\n"
             "h3{font-size:.95rem;margin:1.4rem 0 .3rem}\n"
             "footer{margin-top:3rem;padding-top:.8rem;border-top:1px solid var(--line);color:var(--soft);"
             "font-size:.85rem}\n");
    text_add(out,
             "@media(max-width:56rem){.three{grid-template-columns:1fr 1fr}.pair{grid-template-columns:1fr}}\n"
             "@media(max-width:40rem){body{padding:1.2rem 1rem 2rem}h1{font-size:1.4rem}\n"
             ".three{grid-template-columns:1fr}.options{columns:1}.facts{grid-template-columns:1fr 1fr}\n"
             "svg.wide{display:none}svg.narrow{display:block}.cells{grid-template-columns:1fr}\n"
             "table,tbody,tr,td{display:block}thead{position:absolute;left:-999rem}\n"
             "tr{border-bottom:1px solid var(--line);padding:.5rem 0;display:grid;grid-template-columns:1fr 1fr;"
             "gap:0 1rem}\n"
             "td,td.t{border:0;padding:.1rem 0;text-align:left}td::before{content:attr(data-label)' ';"
             "color:var(--soft)}\n"
             "td:last-child{grid-column:1/-1}}\n"
             "@media screen and (prefers-color-scheme:dark){:root{--sheet:#14171b;--ink:#e6e9ed;--soft:#9aa4af;"
             "--line:#2a3037;--wash:#1c2126;--blue:#6ea8fe}}\n"
             "@media print{body{max-width:none;padding:0;font-size:10.5pt}h2{break-after:avoid}\n"
             "figure,tr,.bars,.facts{break-inside:avoid}th button::after{content:''}a{color:inherit;"
             "text-decoration:none}}\n");
    plot_style(out);
}

/* No ampersand and no "less than" in here: the page is XML as well. */
void report_style_script(struct text *out)
{
    text_add(out,
             "'use strict';\n"
             "document.querySelectorAll('table.sort').forEach(function (table) {\n"
             "  var heads = Array.from(table.tHead.rows[0].cells), body = table.tBodies[0];\n"
             "  heads.forEach(function (head, column) {\n"
             "    var button = document.createElement('button');\n"
             "    button.type = 'button';\n"
             "    while (head.firstChild) button.appendChild(head.firstChild);\n"
             "    head.appendChild(button);\n"
             "    button.addEventListener('click', function () {\n"
             "      var down = head.getAttribute('aria-sort') === 'ascending';\n"
             "      heads.forEach(function (other) { other.removeAttribute('aria-sort'); });\n"
             "      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');\n"
             "      var key = function (row) { return row.cells[column].dataset.value || "
             "row.cells[column].textContent; };\n"
             "      Array.from(body.rows).sort(function (a, b) {\n"
             "        var x = key(a), y = key(b), d = x - y;\n"
             "        if (Number.isNaN(d)) d = x.localeCompare(y, 'en', { numeric: true });\n"
             "        return down ? -d : d;\n"
             "      }).forEach(function (row) { body.appendChild(row); });\n"
             "    });\n"
             "  });\n"
             "});\n");
}
