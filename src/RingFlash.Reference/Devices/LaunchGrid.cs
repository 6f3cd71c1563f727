namespace RingFlash.Reference.Devices;

/// <summary>The groups of a launch; the shape of a group is mostly the host's.</summary>
/// <param name="X">Groups along the first axis.</param>
/// <param name="Y">Groups along the second.</param>
/// <param name="Z">Groups along the third.</param>
/// <param name="SharedBytes">Dynamic shared memory of a group.</param>
/// <param name="Warps">The warps of a group, for a kernel that wants another number; 0 for the host's.</param>
public readonly record struct LaunchGrid(int X, int Y = 1, int Z = 1, int SharedBytes = 0, int Warps = 0);
