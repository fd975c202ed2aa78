namespace Canal.Engine.Random;

/// <summary>
/// What random numbers are for: part of the counter, so that no two uses ever share a draw. The values are part of what makes a
/// run repeatable and never change; new purposes take new values up to 255.
/// </summary>
public enum RandomPurpose : byte
{
    /// <summary>Initial weights and embeddings; the index is the parameter's place in state_dict order.</summary>
    Parameters = 1,

    /// <summary>The random projection of a block; the index is the block, the epoch the number of redraws before.</summary>
    Projection = 2,

    /// <summary>The order in which an epoch visits the training cells.</summary>
    CellOrder = 3,

    /// <summary>Which positions of a cell are masked in pre-training; the index is the cell.</summary>
    Masking = 4,

    /// <summary>Random choices of the example bank; the index is the cell type.</summary>
    ExampleBank = 5,

    /// <summary>Mixtures of CANAL's published novelty rule; the index is the cell.</summary>
    NoveltyMixing = 6,

    /// <summary>Simulated studies; the index is the cell, the gene or the batch.</summary>
    Simulation = 7,

    /// <summary>New rows of the prototype matrix when the cell-type library grows; the index is the cell type.</summary>
    Prototypes = 8,

    /// <summary>Validation splits of pre-training; the index is the cell.</summary>
    ValidationSplit = 9,

    /// <summary>Anything a baseline draws.</summary>
    Baseline = 10,

    /// <summary>The start of the search for principal components of genes; one fixed stream.</summary>
    NoveltySubspace = 11,

    /// <summary>Draws of tests and benchmarks.</summary>
    Testing = 255,
}
