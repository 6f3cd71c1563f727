using System;

namespace RingFlash.Reference.Objective.Profiles;

/// <summary>A behaviour of a framework that its users would not want; README.md of this folder numbers them.</summary>
/// <param name="Number">F1, F2, …</param>
/// <param name="Description">What happens and on which input.</param>
public sealed record ProfileFault(string Number, string Description);

/// <summary>The framework raises on this input, so there is no result to give.</summary>
public sealed class ProfileErrorException : Exception
{
    /// <summary>Names the fault.</summary>
    /// <param name="fault">The fault.</param>
    /// <param name="error">The framework's error as it prints it.</param>
    public ProfileErrorException(ProfileFault fault, string error)
        : base($"{error} ({(fault ?? throw new ArgumentNullException(nameof(fault))).Number}: {fault.Description})")
    {
        Fault = fault;
        Error = error;
    }

    /// <summary>Which fault.</summary>
    public ProfileFault Fault { get; }

    /// <summary>The framework's error: kind and text.</summary>
    public string Error { get; }
}
