namespace Canal.Simulation;

/// <summary>The cell types that studies of the human pancreas tell apart, with marker genes from the literature (Baron et al., Cell Systems 3, 2016; Muraro et al., Cell Systems 3, 2016).</summary>
internal static class CellTypeProfiles
{
    /// <summary>A cell type of a simulated study.</summary>
    /// <param name="Name">Name, as in obs.</param>
    /// <param name="Lineage">Types of a lineage share a part of their profile, so they are harder to tell apart.</param>
    /// <param name="Abundance">Relative number of cells.</param>
    /// <param name="Markers">Genes that are high in this type.</param>
    internal sealed record CellType(string Name, int Lineage, double Abundance, string[] Markers);

    private static readonly CellType[] types =
    [
        Type("alpha", 0, 8, "GCG TTR IRX2 ARX LOXL4 PCSK2 TM4SF4 CRYBA2 GC FEV DPP4 FAP PLCE1 RGS4"),
        Type("beta", 0, 8, "INS IAPP MAFA NKX6-1 DLK1 ADCYAP1 PCSK1 HADH SLC30A8 G6PC2 NPTX2 GLIS3 UCN3 PDX1 ENTPD3"),
        Type("delta", 0, 3, "SST RBP4 LEPR HHEX GHSR PRG4 BCHE GABRG2 PDYN ERBB4 EDN3 SEC11C"),
        Type("gamma", 0, 2, "PPY SERTM1 CARTPT AQP3 SLITRK6 ETV1 THSD7A MEIS2 ID2 STMN2"),
        Type("ductal", 1, 5, "KRT19 KRT7 CFTR SPP1 MMP7 SLC4A4 ANXA4 TACSTD2 CLDN1 CLDN4 AMBP VTCN1 ONECUT2 TFF2"),
        Type("acinar", 1, 5, "PRSS1 CPA1 CPA2 CTRB1 CTRB2 CELA3A CELA3B REG1A REG1B PNLIP CLPS SPINK1 CEL CPB1 GP2 PLA2G1B CTRC CELA2A"),
        Type("endothelial", 2, 2, "PECAM1 VWF CDH5 CLDN5 PLVAP ESAM FLT1 KDR ENG RAMP2 EGFL7 CD34 ROBO4 TIE1 ERG"),
        Type("activated_stellate", 2, 3, "COL1A1 COL1A2 COL3A1 COL6A3 SPARC TIMP1 THY1 PDGFRA SFRP2 LUM DCN FN1 BGN MMP2"),
        Type("macrophage", 3, 1, "CD68 CD14 CD163 C1QA C1QB C1QC TYROBP FCER1G LYZ LAPTM5 AIF1 CSF1R MS4A7 HLA-DRA"),
        Type("quiescent_stellate", 2, 3, "RGS5 PDGFRB NDUFA4L2 FABP4 ADIRF MCAM CSPG4 NOTCH3 KCNJ8 HIGD1B"),
        Type("t_cell", 3, 2, "CD3D CD3E CD3G CD2 IL7R CCL5 NKG7 CD8A CD247 LCK GZMA"),
        Type("epsilon", 0, 1, "GHRL ACSL1 ASGR1 SPTSSB ANXA13 FRZB DEFB1 VSTM2L"),
        Type("mast", 3, 1, "TPSAB1 TPSB2 CPA3 KIT MS4A2 HPGDS HDC GATA2 SLC18A2 RGS13"),
        Type("schwann", 4, 1, "SOX10 S100B PLP1 CDH19 MPZ NGFR ERBB3 CRYAB SCN7A"),
    ];

    private static readonly HashSet<string> markers = [.. types.SelectMany(t => t.Markers)];

    /// <summary>All types; the last two are never taught.</summary>
    public static IReadOnlyList<CellType> All => types;

    /// <summary>Number of types at the end of the list that only the unseen study has.</summary>
    public const int NovelTypes = 2;

    /// <summary>Types that the first, second, ... study adds.</summary>
    public static IReadOnlyList<int> Additions { get; } = [5, 2, 2, 2, 1];

    /// <summary>Marker genes of all types, type by type.</summary>
    public static IEnumerable<string> Markers => types.SelectMany(t => t.Markers).Distinct(StringComparer.Ordinal);

    /// <summary>Whether a gene is a marker of any type.</summary>
    public static bool IsMarker(string symbol) => markers.Contains(symbol);

    /// <summary>Indices of the types in a study: what it adds, and of the earlier ones all but one, so that every later study lacks a type that an earlier one taught.</summary>
    public static int[] OfStudy(int study)
    {
        var known = Additions.Take(study).Sum();
        var lacking = study == 0 ? -1 : known - 1 - study;
        return [.. Enumerable.Range(0, known + Additions[study]).Where(type => type != lacking)];
    }

    private static CellType Type(string name, int lineage, double abundance, string markers) => new(name, lineage, abundance, markers.Split(' '));
}
