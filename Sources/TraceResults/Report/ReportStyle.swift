// The report's style sheet: light and dark by what the reader's system says, one column on a telephone, and
// what a printer needs. It has no address in it, and no rule that a page without scripts cannot use.

/// The style of a report.
enum ReportStyle {
    /// The whole sheet. Its digest is what the page's content security policy allows.
    static let sheet: String = """
        :root{color-scheme:light dark;\(ChartPalette.light.variables)}
        @media (prefers-color-scheme:dark){:root{\(ChartPalette.dark.variables)}}
        *{box-sizing:border-box}
        html{-webkit-text-size-adjust:100%;text-size-adjust:100%;scroll-behavior:smooth}
        body{margin:0;background:var(--page);color:var(--text);\
        font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;\
        overflow-wrap:anywhere}
        a{color:var(--link)}
        a:focus-visible,summary:focus-visible,pre:focus-visible,.scroll:focus-visible,.chart:focus-visible\
        {outline:3px solid var(--link);outline-offset:2px;border-radius:3px}
        .skip{position:absolute;left:-999rem}
        .skip:focus{position:static;display:inline-block;padding:.5rem 1rem}
        header,main,nav,footer{max-width:92rem;margin:0 auto;padding:0 1rem}
        header{padding-top:1.25rem}
        h1{font-size:1.7rem;line-height:1.2;margin:.2rem 0}
        h2{font-size:1.3rem;line-height:1.25;margin:2.2rem 0 .8rem}
        h3{font-size:1.05rem;line-height:1.3;margin:0 0 .3rem}
        p{margin:.3rem 0}
        .muted{color:var(--muted)}
        .good{color:var(--good)}
        .bad{color:var(--bad)}
        .unsure{color:var(--unsure)}
        .verdict{display:inline-block;border:2px solid currentColor;border-radius:6px;\
        padding:.1rem .7rem;font-weight:700;letter-spacing:.02em}
        .verdicts{list-style:none;margin:.8rem 0;padding:0}
        .verdicts li{margin:.4rem 0}
        nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:.8rem 0 0;padding:0}
        .tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.4rem,1fr));gap:.7rem;\
        margin:1rem 0}
        .tile{background:var(--card);border:1px solid var(--edge);border-radius:8px;padding:.6rem .8rem}
        .tile dt{color:var(--muted);font-size:.85rem}
        .tile dd{margin:0;font-size:1.25rem;font-weight:600;font-variant-numeric:tabular-nums}
        .figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,36rem),1fr));gap:1rem;\
        align-items:start;margin-bottom:1rem}
        figure,.card{background:var(--card);border:1px solid var(--edge);border-radius:8px;\
        padding:1rem;margin:0;min-width:0}
        .card{margin-bottom:1rem}
        figure{max-width:60rem}
        figcaption p{margin:.2rem 0 .5rem}
        .conclusion{border-left:4px solid var(--axis);padding-left:.7rem}
        .conclusion.good{border-color:var(--good)}
        .conclusion.bad{border-color:var(--bad)}
        .conclusion.unsure{border-color:var(--unsure)}
        .conclusion.good,.conclusion.bad,.conclusion.unsure{color:var(--text)}
        .legend{list-style:none;display:flex;flex-wrap:wrap;gap:.15rem 1rem;margin:.3rem 0 .5rem;padding:0;\
        font-size:.9rem}
        .legend li{display:flex;align-items:center;gap:.4rem;min-width:0}
        .sign{width:28px;height:12px;flex:none}
        .narrow{display:none!important}
        @media (max-width:40rem){.wide{display:none!important}.chart.narrow{display:block!important}}
        details{margin-top:.6rem}
        summary{cursor:pointer;color:var(--link)}
        .scroll{overflow-x:auto;margin:.5rem 0}
        table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;min-width:100%}
        caption{text-align:left;font-weight:600;padding:.2rem 0 .4rem}
        th,td{padding:.25rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--edge);\
        overflow-wrap:normal;white-space:nowrap}
        .long{white-space:normal;min-width:18rem;overflow-wrap:anywhere}
        th[scope=row]{font-weight:500}
        thead th{color:var(--muted);font-weight:600}
        .number{text-align:right}
        tbody tr:nth-child(even){background:var(--stripe)}
        dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.3rem 0}
        dl.facts dt{color:var(--muted)}
        dl.facts dd{margin:0;min-width:0}
        pre{background:var(--stripe);border-radius:6px;padding:.7rem;overflow-x:auto;font-size:.85rem;\
        max-height:30rem}
        footer{padding:1.5rem 1rem 2rem;color:var(--muted);font-size:.9rem}
        @media (max-width:40rem){dl.facts{grid-template-columns:1fr}dl.facts dd{margin-bottom:.4rem}\
        figure,.card{padding:.75rem}}
        @media print{:root{color-scheme:light;\(ChartPalette.light.variables)}\
        body{background:#fff;font-size:10pt}header,main,footer{max-width:none;padding:0}\
        nav,.skip,details:not([open]),.card:has(>details:only-child:not([open])){display:none}.figures{display:block}\
        figure,.tile,tr{break-inside:avoid}figure,.card,.tile{border-color:#999}\
        h2,h3,caption,summary{break-after:avoid}figure{margin-bottom:1rem;max-width:none}\
        .chart{max-width:17cm}.scroll{overflow:visible}table{font-size:8pt}\
        th,td{white-space:normal;padding:.15rem .3rem}.long{min-width:0}\
        pre{max-height:none;overflow:visible;white-space:pre-wrap}}
        @media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
        \(ChartPalette.chartRules)
        """
}
