#include "cli/plot.h"

/* Plain colours in classes rather than variables: programs other than browsers draw these files
 * too. Blue and orange are told apart by all common kinds of colour blindness; contrast of text
 * with the sheet is above 4.5 in both. */
void plot_style(struct text *out)
{
    text_add(
        out,
        ".plot text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica "
        "Neue',Arial,sans-serif;"
        "fill:#1b1f24}\n"
        ".plot .title{font-size:15px;font-weight:600}\n"
        ".plot .label{fill:#3d454e}.plot .tick{fill:#5c6670;font-variant-numeric:tabular-nums}\n"
        ".plot "
        ".note{font-weight:600;font-size:11.5px;paint-order:stroke;stroke:#fff;stroke-width:3px;"
        "stroke-linejoin:round}\n"
        ".plot .sheet{fill:#fff}.plot .grid{fill:none;stroke:#e6e9ed}.plot "
        ".axis{fill:none;stroke:#8b95a0}\n"
        ".plot .cloud{fill:none;stroke:#b3bdc8;stroke-width:4;stroke-linecap:round}\n"
        ".plot .line{fill:none;stroke-width:2;stroke-linejoin:round}.plot "
        ".area{stroke:none;opacity:.07}\n"
        ".plot .line.front{stroke:#1f5fd0}.plot .area.front{fill:#1f5fd0}\n"
        ".plot .line.truth{stroke:#b8520f;stroke-width:1.6;stroke-dasharray:5 3}.plot "
        ".area.truth{fill:none}\n"
        ".plot .mark{stroke:#fff;stroke-width:1.2}.plot .mark.front{fill:#1f5fd0}.plot "
        ".mark.truth{fill:#b8520f}\n"
        ".plot .mark.pale{fill:#8b95a0}.plot a:hover .mark,.plot a:focus "
        ".mark{stroke:#1b1f24;stroke-width:2.5}\n"
        "@media screen and (prefers-color-scheme:dark){\n"
        ".plot text{fill:#e6e9ed}.plot .label{fill:#c3cad2}.plot .tick{fill:#9aa4af}\n"
        ".plot .note{stroke:#14171b}.plot .sheet{fill:#14171b}.plot .grid{stroke:#2a3037}\n"
        ".plot .axis{stroke:#6b7682}.plot .cloud{stroke:#4a5460}\n"
        ".plot .line.front{stroke:#6ea8fe}.plot .area.front{fill:#6ea8fe;opacity:.1}\n"
        ".plot .line.truth{stroke:#f0a05a}\n"
        ".plot .mark{stroke:#14171b}.plot .mark.front{fill:#6ea8fe}.plot "
        ".mark.truth{fill:#f0a05a}\n"
        ".plot .mark.pale{fill:#6b7682}.plot a:hover .mark,.plot a:focus .mark{stroke:#fff}\n"
        "}\n");
}
