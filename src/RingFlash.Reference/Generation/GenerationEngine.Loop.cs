using System.Threading;
using System.Threading.Channels;

namespace RingFlash.Reference.Generation;

public sealed partial class GenerationEngine
{
    private CancellationTokenSource? passCancellation = null;

    private void Loop() => throw new System.NotImplementedException();
}

internal sealed class Sequence(GenerationEngine engine, GenerationRequest request)
{
    public ChannelReader<GenerationEvent> Events => throw new System.NotImplementedException(engine + " " + request);

    public void ListenTo(CancellationToken cancellation) => throw new System.NotImplementedException();

    public void Leave() => throw new System.NotImplementedException();
}
