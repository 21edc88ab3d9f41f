"""The types of pyml's public names: the rows of stubs.py.

Most are of a name wherever it stands. What stands in SPECIAL goes before: of a callable, of a class
or module with all that is in it, or of `*.name`. None is added where it is the default.
"""

import ast

# modules whose types stand in the file: they are short, or give names of others
TYPED = tuple(
    """
    _types backends backends.cuda backends.cudnn backends.mkl backends.mkldnn backends.mps
    backends.openmp mps utils xpu
    """.split()
)

# modules with a stub
MODULES = tuple(
    """
    pyml random amp memory nn nn.functional nn.init nn.utils nn.utils.parametrizations
    nn.utils.parametrize nn.utils.prune nn.utils.rnn optim optim.lr_scheduler
    optim.swa_utils autograd autograd.function
    autograd.forward_ad autograd.functional autograd.graph
    autograd.anomaly func linalg special distributions.constraints
    distributions.constraint_registry distributions distributions.transforms
    distributions.kl distributions.utils data utils.data utils.dlpack utils.tensorboard recording
    train train.metrics tabular estimators export distributed io plot testing accelerator cuda
    """.split()
)

OF_OPERATIONS = ("nn.functional", "linalg", "special")  # where pyml's operations are, too
ALIASES = set(
    """
    Array Call Callbacks Data DType Device Dims File Frame Index Logs Number Operand
    Params Path Samples Sizes State Tensors _F _P _R _T _T_co
    """.split()
)
FOREIGN = {
    "EllipsisType": "types",
    "ModuleType": "types",
    "TypeGuard": "typing",
    "SupportsIndex": "typing",
    "Sized": "collections.abc",
    "AbstractContextManager": "contextlib",
    "Enum": "enum",
    "np": "numpy as np",
    "dataclass": "dataclasses",
}
KNOWN = {
    "_frexp",
    "_aminmax",
    "_slogdet",
    "_histogram",
    "_lu",
    "_lu_factor",
    "_lu_factor_ex",
    "_lstsq",
    "_eigh",
    "_qr",
    "_svd",
    "_linalg_svd",
    "_cholesky_ex",
    "_inv_ex",
    "_solve_ex",
    "_triangular_solve",
    "_F",
    "_P",
    "_R",
    "_T",
    "_T_co",
    "_Extremes",
    "_HookHandle",
    "_IncompatibleKeys",
    "annotations",
}


def by_name(*rows):
    """{name: type} of rows of a type and the names that have it."""
    return {name: kind for kind, names in rows for name in names.split()}


# ---- arguments -----------------------------------------------------------------------------------

NAMES = by_name(
    ("Tensor", """
        A B LU LU_data LU_pivots anchor aweights batch1 batch2 bn_rm bn_rv boundaries condition
        default_mask dy fweights importance_scores index input input1 input2 linear_bias
        linear_w linear_weight log_probs mask mat mat1 mat2 negative num_batches_tracked offsets
        per_sample_weights pivots pos_weight positive running_mean running_var sorted_sequence
        sorter source src t target tau tensor tensor1 tensor2 the_template vec vec1 vec2 weight
        x x1 x2 y"""),
    ("Operand", "exponent fill_value other value values end test_elements"),
    ("Number", "alpha"),
    ("Any", """
        args best default event expected extra figure kwargs mmap obj options progress scheduler
        tangents _instance ax context devices map_location memo metric metrics plan pos_label
        sampler summary validation buffer parameter_and_buffer_dicts multiprocessing_context"""),
    ("Array", "smoothed"),
    ("DType", "dtype dst_type"),
    ("Device", "device"),
    ("Dims", "dims"),
    ("Sizes", "normalized_shape shape size sizes sample_shape"),
    ("Sequence[int]", """
        batch_shape event_shape physical_layout split_sizes stride in_shape out_shape"""),
    ("Params", "params"),
    ("Path", "checkpoint directory log_dir path"),
    ("File", "f"),
    ("Call", """
        collate_fn distance_function fn func function hook multi_avg_fn predict worker_init_fn"""),
    ("Callable[[], Tensor | float]", "closure"),
    ("Generator", "generator"),
    ("Module", "from_module model module parametrization to_module"),
    ("Iterable[Module]", "models modules"),
    ("Tensors", "inputs grad_outputs grad_variables parameters tensors"),
    ("Optimizer", "optimizer"),
    ("Callbacks", "callbacks"),
    ("Logs", "logs"),
    ("State", "state state_dict param_group defaults"),
    ("Frame", "table train"),
    ("Mapping[str, str]", "metadata formats"),
    ("Mapping[Any, float] | str", "class_weight"),
    ("Operand | Sequence[float]", """
        concentration concentration0 concentration1 df df1 df2 loc scale total_count"""),
    ("Data | None", "probs logits"),
    ("bool", """
        accumulate adjoint affine allow_unused amsgrad assume_unique bias capturable
        cache_enabled centered compute_uv copy create_graph descending differentiable
        elementwise_affine enabled error_if_nonfinite foreach full full_matrices fused
        greater_is_better has_classes hermitian include_last_offset inplace interrupted keepdim
        largest left log_target masked maximize nesterov non_blocking out_int32 persistent
        pin_memory pivot reduce requires_grad retain_graph right scale_grad_by_freq sci_mode
        shared size_average some sorted sparse sparse_grad stable strict track_running_stats
        training transpose unbiased unitriangular upper validate_args verbose zero_infinity"""),
    ("int", """
        N T_0 T_max axis0 axis1 batches blank chunk_size chunks col dim0 dim1 dim2 dimension
        embedding_dim end_dim epoch epochs edgeitems event_dim every_steps global_step
        ignore_index in1_features in2_features in_features k keep linewidth max_bins max_eval
        max_iter n ndim num_channels num_classes num_embeddings num_features num_groups
        num_samples number output_size padding_idx period prefetch_factor purge_step seed step
        step_size_down steps steps_per_epoch storage_offset threads total_steps window_length
        row reinterpreted_batch_ndims halving _stacklevel anneal_epochs at_once cache_size
        category_dim channels cooldown diag diagonal edge_order ensemble every first flush_secs
        from_ history_size ind max_fun max_queue max_steps max_try_correction minlength most
        n_bins n_ensemble n_iter_no_change n_power_iterations n_repeats ns_steps num_bins
        num_cycles num_frequencies num_parameters num_workers offset one_hot opset patience r
        samples shard_size start_dim step_size_up total_iters T_mult last_epoch batch_size times
        decimals dim replays variants missing distinct count length start"""),
    ("float", """
        atol bn_eps clip clip_value delta density eps eta_min every_seconds fraction gamma high
        l1 l2 lambd low margin max_fpr max_seconds max_value maxnorm min_value momentum neginf
        norm_type p posinf rcond rtol seconds sparsity std test_accuracy threshold tolerance
        tolerance_cg walltime init gradient_norm beta gain initial_accumulator_value timeout
        weight_decay suggestion"""),
    ("float | Tensor", "lr"),
    ("float | Tensor | None", "total_norm"),
    ("int | float", "amount"),
    ("tuple[float, float]", "betas etas lims step_sizes"),
    ("str", """
        approximate device_type driver error_message filename_suffix kind line_search_fn
        main_tag mode monitor comment name nonlinearity normalize output orthogonal_map profile
        reason reduction rounding_mode run_name schedule scheduler_every side spec tag
        tensor_name text_string title unit why indexing interpolation arrived note stopped
        shown"""),
    ("Tensor | float", "scalar_value"),
    ("Sequence[str]", "names drop notes warnings"),
    ("str | Sequence[float] | Array", "multioutput"),
    ("Sequence[float]", "ns_coefficients"),
    ("Iterable[Any]", "loader records"),
    ("Iterable[Member]", "members"),
    ("int | np.random.RandomState", "random_state"),
    ("Distribution", "distribution base_distribution mixture_distribution component_distribution"),
    ("Transform", "base_transform"),
    ("Sequence[Transform]", "parts tseq"),
    ("Constraint", "base_constraint constraint"),
    ("Sequence[Constraint]", "cseq"),
    ("Schema", "schema"),
    ("Preprocessor", "preprocessor"),
    ("Trainer", "trainer"),
    ("History", "history"),
    ("Iterable[LRScheduler]", "schedulers"),
    ("Call | Sequence[Call]", "lr_lambda"),
    ("str | None", "memory_format layout"),
    ("Operand | None", "min max"),
    ("int | Sequence[int]", "destination"),
    ("Dims | Tensor", """
        split_size split_size_or_sections indices indices_or_sections sections
        tensor_indices_or_sections"""),
    ("tuple[float, ...]", "eigenvalues residuals"),
    ("float | Sequence[float] | Tensor | Array", "q"),
    ("float | Sequence[float]", "max_lr base_momentum max_momentum"),
    ("int | Sequence[int] | slice | Array | None", "validation_rows"),
    ("int | Array | str", "bins"),
    ("Sequence[Any] | int", "hidden"),
    ("Mapping[str, Any]", "hparam_dict hparam_domain_discrete kinds metric_dict tag_scalar_dict"),
    ("type[Distribution]", "type_p type_q"),
    ("Linear", "linear"),
    ("BatchNorm1d", "bn"),
    ("Data", "data labels losses matrix prediction rates sample_weight test"),
    ("Tensor | Dims", "input_lengths target_lengths"),
)  # fmt: skip


def special(table):
    """{path: {argument, or "return", or "value": type}} of lines; a deeper one goes on."""
    lines = []
    for line in table.strip("\n").splitlines():
        if line.startswith("     "):
            lines[-1] += " " + line.strip()
        elif not line.strip().startswith("#"):
            lines.append(line.strip())
    found = dict(map(row_of, lines))
    assert len(found) == len(lines), "two lines of one path"
    return found


def row_of(line):
    if "(" not in line.partition(":")[0]:
        path, _, kind = line.partition(": ")
        return path, {"value": kind}
    path, _, rest = line.partition("(")
    [function] = ast.parse(f"def row({rest}: ...").body
    row = {arg.arg: ast.unparse(arg.annotation) for arg in function.args.args}
    return path, row | ({"return": ast.unparse(function.returns)} if function.returns else {})


def several(*lines):
    """{path: row} of rows without a path and the callables that have them."""
    found = {}
    for row, names in lines:
        for name in names.split():
            found[name] = found.get(name, {}) | row_of(name + row)[1]
    return found


def of_name(name):
    return NAMES.get(name)


# ---- results -------------------------------------------------------------------------------------

RESULT_OF_NAME = by_name(
    ("None", """
        __delitem__ __exit__ __init__ __setitem__ add_event add_figure add_histogram add_hparams
        add_module add_param_group add_pruning_method add_scalar add_scalars add_summary
        add_text barrier begin broadcast_object_list check_takes_weights clear close compile
        destroy_process_group disable_saved_tensors_hooks empty_cache flush increment_version
        init init_process_group initialize_parameters mark_dirty mark_non_differentiable
        on_batch_end on_epoch_begin on_epoch_end on_tick on_train_begin on_train_end refuse
        register_buffer register_module register_parameter reset reset_parameters
        reset_running_stats restore save save_checkpoint save_for_backward save_for_forward
        save_torch set_default_validate_args set_device set_device_index set_extra_state
        set_materialize_grads set_rng_state set_rng_state_all set_state set_submodule
        set_trainer setup_context stop synchronize transfer_parametrizations_and_params
        update_bn update_parameters vector_to_parameters zero_grad assert_close
        set_autocast_enabled set_default_device set_default_dtype set_default_tensor_type
        set_num_interop_threads set_num_threads set_printoptions set_deterministic_debug_mode
        use_deterministic_algorithms set_float32_matmul_precision set_anomaly_enabled
        reset_peak_memory_stats onnx"""),
    ("Tensor", """
        apply_mask cdf clip_grad_norm clip_grad_norm_ compute_mask entropy enumerate_support
        forward get_buffer get_total_norm icdf kl_divergence log_abs_det_jacobian log_cdf
        log_prob log_survival_function elastic_net_penalty l1_penalty l2_penalty pad_sequence
        parameters_to_vector perplexity prune rsample sample sample_n clamp_probs
        logits_to_probs probs_to_logits check"""),
    ("Self", """
        __enter__ __iadd__ __imul__ append eval expand extend for_task from_pretrained
        from_state_dict insert requires_grad_ share_memory share_memory_ to_empty train
        with_cache fit replace set_params __deepcopy__ copy"""),
    ("int", """
        __hash__ __len__ current_device current_device_index device_count get_rank
        get_world_size initial_seed memory_allocated numel nelement seed get_device
        get_num_threads get_num_interop_threads get_deterministic_debug_mode"""),
    ("bool", """
        __contains__ __eq__ __ne__ has_uninitialized_params is_available is_bf16_supported
        is_grad_enabled is_initialized is_parametrized is_pruned gradcheck gradgradcheck
        is_autocast_available is_dependent is_autocast_enabled is_batch is_tensor
        is_floating_point is_complex is_inference is_nonzero is_signed is_same_size
        is_inference_mode_enabled are_deterministic_algorithms_enabled is_anomaly_enabled
        is_deterministic_algorithms_warn_only_enabled set_flush_denormal
        is_anomaly_check_nan_enabled allclose equal is_contiguous is_pinned is_shared can_cast"""),
    ("str", """
        __format__ extra_repr name get_logdir get_device_name typename
        get_float32_matmul_precision to_csv to_json"""),
    ("State", "state_dict stats get_params"),
    ("float", "compute score"),
    ("list[float]", "get_last_lr get_lr"),
    ("_HookHandle", """
        register_backward_hook register_forward_hook register_forward_pre_hook
        register_full_backward_hook register_full_backward_pre_hook register_hook
        register_load_state_dict_post_hook register_load_state_dict_pre_hook
        register_post_accumulate_grad_hook register_state_dict_post_hook
        register_state_dict_pre_hook register_step_post_hook register_step_pre_hook"""),
    ("tuple[int, ...]", "forward_shape inverse_shape broadcast_shapes"),
    ("Any", """
        get_extra_state jvp vjp backward_fused __getattr__ plot to_pandas get_metadata_routing
        Event Stream device get_device_properties"""),
    ("Array", "predict predict_proba predict_log_proba get_rng_state get_state"),
    ("Call", """
        get_ema_avg_fn get_ema_multi_avg_fn get_swa_avg_fn get_swa_multi_avg_fn
        once_differentiable register_kl rule register vmap jacfwd jacrev"""),
    ("tuple[Tensor, ...]", """
        broadcast_all broadcast_tensors chunk dsplit hsplit split split_with_sizes tensor_split
        unbind unsafe_chunk unsafe_split unsafe_split_with_sizes vsplit meshgrid unravel_index
        gradient"""),
    ("tuple[Tensor, Tensor]", "std_mean var_mean load_digits"),
)  # fmt: skip

ATTRIBUTE_OF_NAME = by_name(
    ("Tensor", "n_averaged H T mH mT"),
    ("Size", "shape batch_shape event_shape param_shape"),
    ("bool", """
        bijective has_rsample has_enumerate_support is_leaf retains_grad is_floating_point
        is_complex is_signed is_stationary is_fitted is_single is_ensemble is_input is_idle
        finished epoch_is_whole is_tensor use_beta1 cycle_momentum in_cooldown greater_is_better
        before"""),
    ("int", """
        bytes calls cooldown_counter flops head_size itemsize last_epoch n_clusters n_iter_
        n_layers_ n_outputs_ nbytes ndim ntensors num_bad_epochs seq shortlist_size step steps
        t_ variants replays best_count T_i batch total_count"""),
    ("float", """
        best best_loss_ loss_ max min tiny resolution smallest_normal seconds spent step_ratio
        total_size mode_worse min_delta T_cur"""),
    ("Constraint", "domain codomain"),
    ("dtype", "of_elements"),
    ("Constraint | None", "support"),
    ("dict[str, Constraint]", "arg_constraints"),
    ("list[float]", "base_lrs max_lrs min_lrs loss_curve_"),
    ("list[Call | None]", "lr_lambdas"),
    ("list[dict[str, Any]]", "param_groups"),
    ("dict[str, Any]", "defaults"),
    ("str", "verdict why reason out_activation_ unrecordable"),
    ("list[Array]", "coefs_ intercepts_"),
    ("Array", "classes_ means stds"),
)  # fmt: skip

# ---- what is not by its name ---------------------------------------------------------------------


# a callable, class or module, with arguments and the result as in a signature; or a variable
SPECIAL = special("""
    autograd.forward_ad(level: int, tangent: Tensor)
    autograd.forward_ad.dual_level() -> AbstractContextManager[Any]
    autograd.forward_ad.enter_dual_level() -> int
    autograd.forward_ad.exit_dual_level() -> None
    autograd.forward_ad.make_dual() -> Tensor
    autograd.forward_ad.unpack_dual() -> UnpackedDualTensor
    Tensor.__arrow_c_array__(requested_schema: Any) -> tuple[Any, Any]
    Tensor.__dlpack__(stream: Any, max_version: Any, dl_device: Any, copy: bool) -> Any
    Tensor.__dlpack_device__() -> tuple[int, int]
    Size.__new__(iterable: Iterable[SupportsIndex]) -> Self
    from_dlpack(ext_tensor: Any)
    utils.dlpack.from_dlpack(ext_tensor: Any) -> Tensor
    utils.dlpack.to_dlpack() -> Any
    nn.SyncBatchNorm.__init__(process_group: Any)
    nn.SyncBatchNorm.convert_sync_batchnorm(process_group: Any) -> Module
    autograd.graph.get_gradient_edge() -> GradientEdge
    autograd.graph.register_multi_grad_hook(fn: Call) -> _HookHandle
    autograd.graph.saved_tensors_hooks.__enter__() -> None
    autograd.detect_anomaly.__enter__() -> None
    autograd.set_detect_anomaly(mode: bool)
    autograd.graph.saved_tensors_hooks(pack_hook: Call, unpack_hook: Call)
    distributions.utils.tril_matrix_to_vec() -> Tensor
    distributions.utils.vec_to_tril_matrix() -> Tensor
    utils.data.DistributedSampler(num_replicas: int, rank: int, dataset: Sized)
    utils.data.DistributedSampler.set_epoch() -> None
    utils.data.DistributedSampler.__iter__() -> Iterator[int]
    train.Trained.__getitem__(i: Any) -> Any
    export.from_arrow(data: Any) -> Tensor | dict[str, Tensor]
    export.load_keras(model: Module) -> dict[str, Tensor]
    export.load_npz() -> dict[str, Tensor]
    export.load_onnx() -> Module
    export.save_npz(arrays: Mapping[str, Tensor | Array]) -> None
    export.to_arrow(tensors: Tensor | Array | Mapping[str, Tensor]) -> Any
    # tensors
    Tensor.__init__(device: Device, data: Any)
    Tensor.__array__(dtype: Any) -> Array
    Tensor.__array_wrap__(array: Array) -> Any
    Tensor.backward(gradient: Tensor) -> None
    Tensor.cuda() -> NoReturn
    Tensor.data_ptr() -> int
    Tensor.dim() -> int
    Tensor.dim_order() -> tuple[int, ...]
    Tensor.element_size() -> int
    Tensor.item() -> float
    Tensor.expand() -> Tensor
    Tensor.unfold(size: int)
    Tensor.bernoulli_(p: float | Tensor)
    Tensor.ndimension() -> int
    Tensor.numpy(force: bool) -> Array
    Tensor.nelement() -> int
    Tensor.numel() -> int
    Tensor.retain_grad() -> None
    Tensor.storage_offset() -> int
    Tensor.tolist() -> Any
    Tensor.apply_(callable: Callable[[float], float])
    Tensor.random_(to: int)
    Tensor.normal_(mean: float, std: float)
    Tensor.new(data: Any)
    Tensor.where(other: Operand)
    Tensor.to(args: Any)
    Tensor.new_tensor(data: Data)
    index_put(indices: Sequence[Tensor])
    # functions
    frexp() -> _frexp
    aminmax() -> _aminmax
    cummax() -> _Extremes
    cummin() -> _Extremes
    kthvalue() -> _Extremes
    mode() -> _Extremes
    sort() -> _Extremes
    topk() -> _Extremes
    slogdet() -> _slogdet
    histogram(range: Sequence[float], bins: int | Tensor) -> _histogram
    histogramdd(range: Sequence[float], bins: int | Sequence[int] | Sequence[Tensor]) -> _histogram
    histc(bins: int, min: float, max: float)
    lu() -> tuple[Tensor, ...]
    linalg.lu() -> _lu
    lu_factor() -> _lu_factor
    lu_factor_ex() -> _lu_factor_ex
    lu_unpack() -> _lu
    lstsq() -> _lstsq
    eigh() -> _eigh
    qr() -> _qr
    svd() -> _svd
    linalg.svd() -> _linalg_svd
    cholesky_ex() -> _cholesky_ex
    inv_ex() -> _inv_ex
    solve_ex() -> _solve_ex
    triangular_solve() -> _triangular_solve
    linalg(ord: float | str, dim: Dims)
    linalg.diagonal(dim1: int, dim2: int)
    linalg.cond(p: float | str)
    linalg.matrix_rank(atol: float | Tensor, rtol: float | Tensor)
    pinv(atol: float | Tensor, rtol: float | Tensor)
    result_type(operands: Any, name: str) -> dtype
    broadcast_shapes(shapes: int | Sequence[int])
    promote_types(type1: DType, type2: DType) -> dtype
    can_cast(from_: DType, to: DType)
    get_default_dtype() -> dtype
    get_default_device() -> device
    get_autocast_dtype() -> dtype
    set_default_dtype(d: DType)
    set_default_tensor_type(t: Any)
    is_tensor(obj: object) -> TypeGuard[Tensor]
    einsum(equation: str | Tensor, operands: Tensor | Sequence[Any])
    chain_matmul(matrices: Tensor)
    eye(m: int)
    from_numpy(ndarray: Array)
    gradient(spacing: float | Sequence[float] | Sequence[Tensor]) -> tuple[Tensor, ...]
    meshgrid(tensors: Tensor | Sequence[Tensor])
    block_diag(tensors: Tensor)
    broadcast_tensors(tensors: Tensor)
    cartesian_prod(tensors: Tensor)
    scalar_tensor(s: Number)
    arange(start: float | Tensor, end: float | Tensor, step: float | Tensor)
    randint(low: int, high: int | Sequence[int])
    randint_like(low: int, high: int)
    logspace(base: float | Tensor)
    tensordot(a: Tensor, b: Tensor, dims: int | Sequence[Dims])
    lu_solve(b: Tensor)
    vander(x: Tensor)
    binomial(count: Tensor, prob: Tensor)
    normal(mean: float | Tensor, std: float | Tensor)
    clamp_min(min: Operand)
    clamp_max(max: Operand)
    nan_to_num(nan: float)
    isin(elements: Operand)
    searchsorted(input: Operand)
    bucketize(input: Operand)
    repeat_interleave(repeats: int | Tensor)
    trapezoid(dx: float)
    cumulative_trapezoid(dx: float)
    rot90(dims: Sequence[int])
    roll(shifts: Dims, dims: Dims)
    tile(dims: Sizes)
    flip(dims: Dims, axes: Dims)
    permute(dims: Dims, axes: Dims)
    repeat(counts: Sizes, repeats: Sizes)
    diff(prepend: Tensor, append: Tensor)
    std(correction: float)
    var(correction: float)
    std_mean(correction: float)
    var_mean(correction: float)
    norm(p: float | str)
    pad(pad: Sequence[int], mode: str, value: float)
    take(index: Tensor)
    put(index: Tensor)
    bincount(weights: Tensor)
    take_along_dim(indices: Tensor)
    unravel_index(indices: Tensor)
    polygamma(n: int)
    cov(correction: int)
    dropout(x: Tensor)
    prelu(weight: Tensor)
    lerp(weight: Operand)
    select(index: int)
    select_scatter(index: int)
    slice_scatter(end: int)
    scatter(src: Tensor | Number, reduce: str)
    nonzero_static(size: int, fill_value: int)
    threshold(value: Number)
    dtype.to_real() -> dtype
    device(type: str | device | int, index: int)
    finfo(type: DType)
    iinfo(type: DType)
    Size.__mul__(count: SupportsIndex) -> Size
    Size.__rmul__(count: SupportsIndex) -> Size
    Size.__add__(other: tuple[Any, ...]) -> Size
    Size.__radd__(other: tuple[Any, ...]) -> Size
    manual_seed() -> Generator
    autocast.__exit__() -> Literal[False]
    cuda.manual_seed() -> None
    Generator.manual_seed() -> Self
    set_printoptions(precision: int)
    set_float32_matmul_precision(precision: str)
    set_deterministic_debug_mode(debug_mode: int | str)
    set_anomaly_enabled(mode: bool)
    use_deterministic_algorithms(mode: bool)
    set_rng_state(state: Array)
    Generator.set_state(state: Array)
    set_flush_denormal(mode: bool)
    load(pickle_module: Any) -> Any
    io.load_metadata() -> dict[str, str]
    save(obj: object, pickle_module: Any, pickle_protocol: int)
    memory.stats() -> dict[str, int]
    *.__exit__(exc: object, error: object)
    *.__eq__(other: object, value: object)
    *.__ne__(value: object)
    random.fork_rng() -> AbstractContextManager[None]
    # nn
    nn(mode: str, in_features: int, out_features: int, min_val: float, padding: Dims, max_norm:
            float)
    nn.functional(bias: Tensor, weight: Tensor, mode: str, max_norm: float)
    nn.init(mode: str, mean: float, a: float, b: float, groups: int)
    nn.utils(weight: float)
    nn.utils.prune(name: str) -> Module
    nn.utils.prune.is_pruned() -> bool
    nn.Module(training: bool)
    nn.Module.train(mode: bool)
    train.History.__init__(epochs: Iterable[dict[str, Any]])
    nn.Module.compile(args: Any)
    nn.Module.named_modules(memo: set[Module]) -> Iterator[tuple[str, Module]]
    nn.Module.modules() -> Iterator[Module]
    nn.Module.named_children() -> Iterator[tuple[str, Module]]
    nn.Module.children() -> Iterator[Module]
    nn.Module.named_parameters() -> Iterator[tuple[str, Parameter]]
    nn.Module.parameters() -> Iterator[Parameter]
    nn.Module.named_buffers() -> Iterator[tuple[str, Tensor]]
    nn.Module.buffers() -> Iterator[Tensor]
    nn.Module.get_submodule(target: str) -> Module
    nn.Module.set_submodule(target: str)
    nn.Module.get_parameter(target: str) -> Parameter
    nn.Module.get_buffer(target: str)
    nn.Module.apply(fn: Callable[[Module], object]) -> Self
    nn.Module.state_dict(destination: dict[str, Any])
    nn.Module.register_parameter(param: Parameter | None)
    nn.Module.register_buffer(tensor: Tensor | None)
    nn.Module.add_module(module: Module | None)
    nn.Module.register_module(module: Module | None)
    nn.Module.load_state_dict(state_dict: Mapping[str, Any]) -> _IncompatibleKeys
    nn.Sequential.__init__(args: Module | Mapping[str, Module])
    nn.Sequential.__iter__() -> Iterator[Any]
    nn.Sequential.__add__(other: Iterable[Module]) -> Self
    nn.Sequential.__iadd__(other: Iterable[Module])
    nn.Sequential.__mul__() -> Self
    nn.Sequential.__rmul__() -> Self
    nn.Sequential.pop(key: int | slice) -> Module
    nn.Sequential.__setitem__(index: int)
    nn.Sequential.__delitem__(index: int | slice)
    nn.Sequential.insert(index: int)
    nn.Sequential.forward(input: Any)
    nn.Identity.forward(input: _T) -> _T
    nn.ModuleList.__iter__() -> Iterator[Any]
    nn.ModuleList.__add__(other: Iterable[Module]) -> ModuleList
    nn.ModuleList.__iadd__(modules: Iterable[Module])
    nn.ModuleList.pop(key: int | slice) -> Module
    nn.ModuleList.__setitem__(index: int)
    nn.ModuleList.__delitem__(index: int | slice)
    nn.ModuleList.insert(index: int)
    nn.ModuleDict(key: str, modules: Mapping[str, Module] | Iterable[tuple[str, Module]])
    nn.ModuleDict.__getitem__() -> Module
    nn.ModuleDict.__iter__() -> Iterator[str]
    nn.ModuleDict.pop() -> Module
    nn.ModuleDict.keys() -> KeysView[str]
    nn.ModuleDict.items() -> ItemsView[str, Module]
    nn.ModuleDict.values() -> ValuesView[Module]
    nn.ModuleDict.update() -> None
    nn.ParameterList.__init__(values: Iterable[Any])
    nn.ParameterList(value: Any, values: Iterable[Any], index: int | slice) -> Any
    nn.ParameterList.__iter__() -> Iterator[Any]
    nn.ParameterList.__len__() -> int
    nn.ParameterList.__setitem__() -> None
    nn.ParameterList.append() -> Self
    nn.ParameterList.extend() -> Self
    nn.ParameterList.__iadd__() -> Self
    nn.ParameterDict(key: str, value: Any, parameters: Any, other: Any, keys: Iterable[str]) -> Any
    nn.ParameterDict.__iter__() -> Iterator[str]
    nn.ParameterDict.__reversed__() -> Iterator[str]
    nn.ParameterDict.__contains__(key: object) -> bool
    nn.ParameterDict.__len__() -> int
    nn.ParameterDict.__or__() -> Self
    nn.ParameterDict.__ror__() -> Self
    nn.ParameterDict.__ior__() -> Self
    nn.ParameterDict.copy() -> Self
    nn.ParameterDict.popitem() -> tuple[str, Any]
    nn.ParameterDict.keys() -> KeysView[str]
    nn.ParameterDict.items() -> list[tuple[str, Any]]
    nn.ParameterDict.values() -> list[Any]
    nn.ParameterDict.update() -> None
    nn.ParameterDict.clear() -> None
    nn.ParameterDict.fromkeys() -> Self
    nn.AdaptiveLogSoftmaxWithLoss.forward() -> tuple[Tensor, Tensor]
    nn.AdaptiveLogSoftmaxWithLoss.predict() -> Tensor
    nn.AdaptiveLogSoftmaxWithLoss(head: Linear, tail: ModuleList, n_classes: int, cutoffs:
            list[int])
    optim.Adafactor.__init__(eps: tuple[float | None, float])
    nn.RReLU(lower: float, upper: float)
    rrelu(lower: float, upper: float)
    rrelu_(lower: float, upper: float)
    nn.Ensemble(inputs: Any, average: str)
    nn.Ensemble.__iter__() -> Iterator[Module]
    nn.Ensemble.outputs() -> Tensor
    nn.quantile_bins(x: Data) -> list[Array]
    nn.Embedding.__init__(_weight: Tensor)
    nn.EmbeddingBag.__init__(_weight: Tensor)
    nn.Embedding.from_pretrained(embeddings: Tensor)
    nn.EmbeddingBag.from_pretrained(embeddings: Tensor)
    nn.GaussianNLLLoss.forward(var: Tensor)
    nn.functional.gaussian_nll_loss(var: Tensor | float)
    nn.functional.ctc_loss(targets: Tensor)
    nn.CTCLoss.forward(targets: Tensor)
    nn.functional.gumbel_softmax(tau: float, logits: Tensor)
    nn.functional.linear_cross_entropy(options: LinearCrossEntropyOptions)
    nn.functional.triplet_margin_with_distance_loss(distance_function: Callable[[Tensor, Tensor],
            Tensor])
    nn.init.calculate_gain(param: float) -> float
    nn.init.constant(val: float)
    nn.ParametricActivation(activation: Module)
    nn.PoissonNLLLoss.forward(log_input: Tensor)
    nn.PiecewiseLinearEmbedding(activation: bool, bins: Sequence[Data])
    nn.PiecewiseLinearEncoding(bins: Sequence[Data])
    nn.PeriodicEmbedding(activation: bool)
    nn.ElementwiseAffine(chunks: Sequence[int])
    nn.RandomCrop(padding: int)
    nn.LinearCrossEntropyOptions(chunking_method: str | None)
    nn.LinearCrossEntropyLoss(linear: Linear, options: LinearCrossEntropyOptions)
    nn.LinearCrossEntropyOptions.__init__(batch_chunk_size: int, acc_dtype: DType)
    nn.LinearBatchEnsemble(scaling_init: str | Sequence[str], first_scaling_init_chunks:
            Sequence[int])
    nn.PairwiseDistance(norm: float)
    nn.RandomRotation(degrees: float)
    nn.RandomShift(pixels: int)
    nn.Unflatten(unflattened_size: Sizes, dim: int | str)
    nn.BCELoss(weight: Tensor | None)
    nn.BCEWithLogitsLoss(weight: Tensor | None, pos_weight: Tensor | None)
    nn.CrossEntropyLoss(weight: Tensor | None)
    nn.NLLLoss(weight: Tensor | None)
    nn.MultiMarginLoss(weight: Tensor | None)
    nn.MultiLabelSoftMarginLoss(weight: Tensor | None)
    nn.LinearCrossEntropyLoss.__init__(out_features: int | tuple[()], bias: bool, weight: Tensor)
    nn.Parameter.__new__(data: Tensor) -> Self
    nn.Parameter.__init__(data: Tensor)
    nn.Buffer(data: Tensor, persistent: bool)
    nn.Buffer.__new__() -> Self
    nn.UninitializedParameter.__new__() -> Self
    nn.UninitializedBuffer.__new__() -> Self
    nn.UninitializedParameter.materialize() -> None
    nn.utils.clip_grad_value_() -> None
    nn.utils.clip_grads_with_norm_() -> None
    nn.utils.decay_groups(weight_decay: float) -> list[dict[str, Any]]
    nn.utils.weights_of() -> list[Parameter]
    nn.utils.max_norm_() -> None
    nn.utils.soft_threshold_(amount: float) -> None
    nn.utils.convert_linear_weight_to_columns(module: _T) -> _T
    nn.utils.fuse_linear_bn_eval() -> Linear
    nn.utils.fuse_linear_bn_weights(linear_b: Tensor | None, bn_w: Tensor | None, bn_b: Tensor |
            None) -> tuple[Parameter, Parameter]
    nn.utils.skip_init(module_cls: Callable[..., _T]) -> _T
    nn.utils.weight_norm(module: _T, dim: int | None) -> _T
    nn.utils.spectral_norm(module: _T) -> _T
    nn.utils.remove_weight_norm(module: _T) -> _T
    nn.utils.remove_spectral_norm(module: _T) -> _T
    nn.utils.parametrizations(module: _T) -> _T
    nn.utils.parametrizations.weight_norm(dim: int | None)
    nn.utils.parametrize.cached() -> AbstractContextManager[None]
    nn.utils.parametrize.register_parametrization(module: _T) -> _T
    nn.utils.parametrize.remove_parametrizations(module: _T) -> _T
    nn.utils.parametrize.transfer_parametrizations_and_params() -> Module
    nn.utils.parametrize.type_before_parametrizations() -> type[Module]
    nn.utils.parametrize.ParametrizationList.__iter__() -> Iterator[Module]
    nn.utils.parametrize.ParametrizationList.pop() -> Module
    nn.utils.parametrize.ParametrizationList.right_inverse(value: Tensor) -> None
    nn.utils.parametrize.ParametrizationList(original: Tensor, modules: Iterable[Module], index:
            int, key: int | slice)
    nn.utils.parametrize.ParametrizationList.__delitem__(index: int | slice)
    nn.utils.prune.remove() -> Module
    nn.utils.prune.BasePruningMethod() -> Any
    nn.utils.prune.BasePruningMethod.apply() -> BasePruningMethod
    nn.utils.prune.BasePruningMethod.compute_mask() -> Tensor
    nn.utils.prune.BasePruningMethod.remove() -> None
    nn.utils.prune.PruningContainer.__init__(args: BasePruningMethod) -> None
    nn.utils.prune.PruningContainer() -> Any
    nn.utils.prune.PruningContainer.__len__() -> int
    nn.utils.prune.PruningContainer.__iter__() -> Iterator[BasePruningMethod]
    nn.utils.prune.PruningContainer.__getitem__(index: int) -> BasePruningMethod
    nn.utils.prune.PruningContainer.add_pruning_method(method: BasePruningMethod | None) -> None
    nn.utils.prune.global_unstructured(parameters: Iterable[tuple[Module, str]], importance_scores:
            Mapping[tuple[Module, str], Tensor], pruning_method: type[BasePruningMethod]) -> None
    nn.utils.rnn.pad_sequence(sequences: Sequence[Tensor])
    nn.utils.rnn.unpad_sequence(lengths: Tensor, padded_sequences: Tensor) -> list[Tensor]
    # optim
    optim(step_size: int, alpha: float | Tensor, betas: tuple[float | Tensor, float | Tensor],
            dampening: float | Tensor, eps: float | Tensor, lambd: float | Tensor, lr_decay: float |
            Tensor, momentum: float | Tensor, momentum_decay: float | Tensor, rho: float | Tensor,
            weight_decay: float | Tensor) -> Tensor | float
    optim.Muon(adjust_lr_fn: str)
    optim.Optimizer.load_state_dict() -> None
    optim.AdamW.load_state_dict() -> None
    optim.Optimizer.state_dict() -> State
    optim.lr_scheduler.LRScheduler.load_state_dict() -> None
    optim.lr_scheduler(base_lr: float | Sequence[float], min_lr: float | Sequence[float], scale_fn:
            Callable[[float], float], milestones: Iterable[int], eps: float) -> None
    optim.lr_scheduler.CyclicLR.scale_fn(x: float) -> float
    optim.lr_scheduler.ReduceLROnPlateau.step(metrics: float | Tensor)
    optim.lr_scheduler.LRScheduler(optimizer: Optimizer)
    *.step(epoch: float | None)
    optim.lr_scheduler.LambdaLR(lr_lambda: Callable[[int], float] | Sequence[Callable[[int],
            float]])
    optim.swa_utils(avg_fn: Call, swa_lr: float | Sequence[float])
    optim.swa_utils.AveragedModel(module: Module)
    # autograd, func
    autograd.backward() -> None
    autograd.grad() -> tuple[Tensor, ...]
    autograd.graph.save_on_cpu() -> AbstractContextManager[None]
    autograd.graph.disable_saved_tensors_hooks() -> AbstractContextManager[None]
    autograd.graph.increment_version(tensor: Tensors)
    autograd.Function(ctx: Any, args: Any, grad_outputs: Any, grad_inputs: Any, inputs: Any, output:
            Any) -> Any
    autograd.Function.setup_context() -> None
    autograd.Node() -> Any
    autograd.Node.name() -> str
    autograd.functional(inputs: Any, v: Any) -> Any
    autograd.function.FunctionCtx(tensors: Tensor | None, args: Tensor, value: bool)
    func(x: Any, y: Any, func: Call, loss: Call, argnums: int | Sequence[int], in_dims: Any,
            out_dims: Any, primals: Any)
    func.vmap() -> Callable[..., Any]
    vmap(in_dims: Any, out_dims: Any) -> Callable[..., Any]
    func.Curvature(loss: float, parameters: int, eigenvectors: tuple[dict[str, Tensor], ...])
    func.Trace(value: float, error: float)
    func.curvature() -> Curvature
    func.functional_call(args: Any) -> Any
    func.jvp() -> tuple[Any, ...]
    func.gauss_newton_diagonal() -> dict[str, Tensor]
    func.grad() -> Callable[..., Any]
    func.grad_and_value() -> Callable[..., Any]
    func.value_and_grad() -> Callable[..., Any]
    func.hessian() -> Callable[..., Any]
    func.hessian_trace() -> Trace
    func.input_derivatives(x: Tensor, which: Sequence[int | Sequence[int]], activations:
            Mapping[type[Module], Call]) -> tuple[Tensor, ...]
    func.linearize() -> tuple[Any, Callable[..., Any]]
    func.vjp() -> tuple[Any, ...]
    func.stack_module_state() -> tuple[dict[str, Tensor], dict[str, Tensor]]
    # distributions
    distributions(p: Distribution, q: Distribution, x: Tensor, y: Tensor, value: Tensor,
            covariance_matrix: Tensor, scale_tril: Tensor, precision_matrix: Tensor, temperature:
            Operand, base_dist: Distribution, low: Operand | Sequence[float], high: Operand |
            Sequence[float], rate: Operand | Sequence[float], alpha: Operand | Sequence[float],
            exponent: Operand)
    distributions.TransformedDistribution(transforms: Transform | Sequence[Transform])
    distributions.AffineTransform(loc: Operand, scale: Operand)
    distributions.LowRankMultivariateNormal(cov_factor: Tensor, cov_diag: Tensor)
    distributions.MultivariateNormal(loc: Tensor)
    distributions.Wishart(df: Operand)
    distributions.Distribution.expand(batch_shape: Sizes, _instance: Any)
    distributions.Distribution.set_default_validate_args(value: bool)
    distributions.CatTransform(lengths: Sequence[int])
    distributions.ComposeTransform.__call__() -> Tensor
    distributions.Transform.__call__() -> Tensor
    distributions.constraints(value: Tensor, bounds: Operand, named: Operand, lengths:
            Sequence[int])
    distributions.constraint_registry.ConstraintRegistry.register(constraint: Constraint |
            type[Constraint], factory: Call) -> Any
    distributions.constraint_registry.ConstraintRegistry.__call__(constraint: Constraint) ->
            Transform
    distributions.register_kl() -> Callable[[_F], _F]
    distributions.utils.broadcast_all(values: Operand)
    distributions.utils.probs_to_logits(probs: Tensor)
    distributions.utils.logits_to_probs(logits: Tensor)
    # data
    data(weights: Data)
    data.DataLoader(dataset: Dataset[_T] | Samples[_T], batch_size: int | None, sampler:
            Iterable[Any], batch_sampler: Iterable[Sequence[int]], shuffle: bool)
    data.DataLoader.__iter__() -> Iterator[Any]
    data.Dataset.__getitem__(index: Any) -> _T_co
    data.Dataset.__add__(other: Dataset[_T_co]) -> ConcatDataset[_T_co]
    data.IterableDataset.__add__(other: Dataset[_T_co]) -> ChainDataset
    data.IterableDataset.__iter__() -> Iterator[_T_co]
    data.ChainDataset.__iter__() -> Iterator[Any]
    data.ChainDataset(datasets: Iterable[Dataset[Any]])
    data.ConcatDataset(datasets: Iterable[Dataset[_T_co] | Samples[_T_co]])
    data.ConcatDataset.__getitem__(index: int) -> _T_co
    data.TensorDataset.__getitem__(index: Any) -> tuple[Tensor, ...]
    data.TensorDataset.__init__(tensors: Tensor)
    data.StackDataset.__init__(datasets: Dataset[Any] | Samples[Any], named: Dataset[Any] |
            Samples[Any])
    data.StackDataset.__getitem__(index: Any) -> Any
    data.StackDataset.__getitems__(indices: Sequence[int]) -> list[Any]
    data.Subset(dataset: Dataset[_T_co] | Samples[_T_co], indices: Sequence[int] | Array)
    data.Subset.__getitem__(index: Any) -> _T_co
    data.Subset.__getitems__(indices: list[int]) -> list[_T_co]
    data.random_split(dataset: Dataset[_T] | Samples[_T], lengths: Sequence[float]) ->
            list[Subset[_T]]
    data.Sampler.__iter__() -> Iterator[_T_co]
    data.Sampler(data_source: Any)
    data.RandomSampler.__iter__() -> Iterator[int]
    data.SequentialSampler.__iter__() -> Iterator[int]
    data.SubsetRandomSampler.__iter__() -> Iterator[int]
    data.SubsetRandomSampler(indices: Sequence[int])
    data.WeightedRandomSampler.__iter__() -> Iterator[int]
    data.BatchSampler.__iter__() -> Iterator[list[int]]
    data.BatchSampler(sampler: Iterable[int], drop_last: bool)
    data.RandomSampler(data_source: Sized)
    data.SequentialSampler(data_source: Sized)
    data.MixUp.__call__() -> tuple[Tensor, Tensor]
    data.CutMix.__call__() -> tuple[Tensor, Tensor]
    data.default_collate(batch: Sequence[Any]) -> Any
    data.default_convert(data: Any) -> Any
    data.get_worker_info() -> Any
    data.load_fashion_mnist(part: str) -> tuple[Tensor, Tensor]
    data.load_digits() -> tuple[Tensor, Tensor]
    data.read_idx() -> Array
    data.stratified_split() -> tuple[Array, Array]
    utils.tensorboard(values: Data, log_dir: str)
    utils.tensorboard.hparams() -> Any
    utils.tensorboard.SummaryWriter.__init__(log_dir: Path)
    # recording
    recording(resume: Progress | State, scheduler: LRScheduler)
    recording.Diagnostics.of(kind: str) -> dict[str, Array]
    recording.Recorded.is_batch(value: Any)
    recording.Recorded.stats() -> Stats
    recording.Recorded.run(progress: bool, diagnostics: bool, data: Tensor, callback:
            Callable[[Progress], object]) -> Any
    recording.Recorded(function: Callable[_P, _R])
    host(function: Callable[..., _R]) -> _R
    recording.Progress(rows: int, shuffle: bool)
    recording.Stats(memory: int)
    # train
    train(X: Any, y: Any, loss: Call, scheduler: Any, shuffle: bool, drop_last: bool, progress:
            bool, resume: Path, rows: Data, reason: str)
    train.Callback(trainer: Trainer)
    train.Callback.load_state_dict() -> None
    train.EarlyStopping.load_state_dict() -> None
    train.ReduceOnPlateau.load_state_dict() -> None
    train.Snapshots.load_state_dict() -> None
    train.TimeLimit.load_state_dict() -> None
    train.EarlyStopping.__call__() -> bool
    train.Epoch.__getattr__(name: str)
    train.History.column() -> Array
    train.History.__setitem__(i: Any, value: Any) -> None
    train.History.__iadd__(epochs: Iterable[dict[str, Any]]) -> Self
    train.History.insert(i: SupportsIndex, epoch: dict[str, Any]) -> None
    train.History.append(epoch: dict[str, Any]) -> None
    train.History.extend(epochs: Iterable[dict[str, Any]]) -> None
    train.History.to_dict() -> dict[str, list[Any]]
    train.Integers(low: int, high: int)
    train.Member.trainer() -> Trainer
    train.Member.made() -> Any
    train.Member(model: Any, optimizer: Any, ema: float, name: Any)
    train.Snapshots.__call__(progress: Any) -> None
    train.Snapshots.ensemble(dim: int) -> Ensemble
    train.Trained.__new__(members: Iterable[TrainedMember]) -> Self
    train.Trained.column() -> Array
    train.Trained.ranked() -> list[TrainedMember]
    train.Trained.ensemble() -> Ensemble
    train.TrainedMember(member: Member)
    train.Trainer(ema: float | AveragedModel)
    train.Trainer.fit() -> History
    train.Trainer.mode_of(column: str) -> str
    train.Trainer.predict() -> Array
    train.Trainer.predict_proba() -> Array
    train.Trainer.evaluate() -> dict[str, float]
    train.Trainer.lr_find() -> LearningRates
    train.Trainer.load_checkpoint() -> None
    train.Tuning.__new__(trials: Iterable[Trial], _: Any, __: Any) -> Self
    train.Tuning(study: Any, trials: Iterable[Trial])
    train.Tuning.ranked() -> list[Trial]
    train.Tuning.table() -> list[dict[str, Any]]
    train.Tuning.ensemble() -> Ensemble
    train.Trial(config: dict[str, Any])
    train.Uniform(log: bool)
    train.Callback.on_batch_end(batch: int)
    train.evaluate() -> dict[str, float]
    train.predict() -> Array
    train.mlp(hidden: Sequence[int], classes: int) -> Sequential
    fit_many(n_jobs: int, X: Any, y: Any, progress: bool, loss: Call) -> Trained
    tune(n_jobs: int, pruner: Any, X: Any, y: Any, space: Mapping[str, Any], member:
            Callable[[dict[str, Any]], Member], progress: bool, trials: int, loss: Call) -> Tuning
    load_checkpoint(model: Any, optimizer: Any, generator: Generator | Mapping[str, Generator] |
            bool) -> LoadedCheckpoint
    save_checkpoint(model: Any, optimizer: Any, generator: Generator | Mapping[str, Generator])
    train.metrics.BrierScore(scale_by_half: str | bool)
    train.metrics.MeanPinballLoss(alpha: float)
    train.metrics(target: Data, weight: Data, average: str | None, zero_division: str | float)
    *.update(target: Data, weight: Data) -> None
    train.metrics.Metric.__call__() -> float
    train.metrics.ConfusionMatrix.compute() -> Array
    train.metrics.calibration_curve() -> CalibrationCurve
    train.metrics.get() -> Metric
    train.metrics.permutation_importance() -> Importance
    train.metrics.precision_recall_curve() -> PrecisionRecallCurve
    train.metrics.roc_curve() -> RocCurve
    train.metrics.METRICS: dict[str, Call]
    # tabular
    tabular(task: str, numbers: str, categories: Tensor, members: int, log: bool, rows: int,
            network: Any, embedding: str, bins: Sequence[Data], names: Sequence[str], source: Frame,
            resume: Path, outputs: Data, actual: Data)
    tabular.RECIPES: dict[str, ByTask | Recipe]
    tabular.INPUT_KINDS: tuple[str, ...]
    tabular.KINDS: tuple[str, ...]
    tabular.TASKS: tuple[str, ...]
    tabular.SCORES: dict[str, tuple[str, ...]]
    tabular.Column(format: str | None)
    tabular.CategoryCodes(levels: Sequence[Sequence[str]])
    tabular.Fitted(history: History | list[History], rows: dict[str, int], model: TabularModel,
            baseline: dict[str, float], scores: dict[str, float])
    tabular.Preprocessor.transform() -> tuple[Array, Array]
    tabular.Recipe(network: dict[str, Any], factors: dict[str, tuple[float, float]], source: str)
    tabular.Schema(columns: Iterable[Column], targets: Iterable[Column], task: str | None)
    tabular.Schema.infer(target: str | Sequence[str], drop: Sequence[str], kinds: Mapping[str, str])
            -> Self
    tabular.Schema.__getitem__(name: str) -> Column
    tabular.Schema.formats() -> dict[str, str]
    tabular.Schema.labelled() -> Array
    tabular.Table(columns: Mapping[str, Any] | Iterable[tuple[str, Any]], rows: Data | slice)
    tabular.Table.__getitem__(name: str) -> Array
    tabular.Table.__iter__() -> Iterator[str]
    tabular.Table.__contains__(name: object)
    tabular.Table.take() -> Table
    tabular.Table.with_column(values: Data) -> Table
    tabular.Table.select() -> Table
    tabular.Table.drop() -> Table
    tabular.TabularEnsemble(models: Iterable[TabularModel])
    tabular.TabularModel(target: Target)
    tabular.TabularEnsemble.forward(numbers: Tensor)
    tabular.TabularModel.forward(numbers: Tensor, categories: Tensor)
    tabular.TabularModel.for_table() -> Self
    tabular.TabularModel.features(numbers: Tensor, categories: Tensor) -> Tensor
    tabular.TabularModel.inputs() -> tuple[Tensor, Tensor]
    tabular.TabularModel.targets() -> Tensor
    tabular.TabularModel.loss() -> Module
    tabular.TabularModel.outputs() -> Array
    tabular.TabularModel.load() -> TabularModel
    tabular.Target.loss() -> Module
    tabular.Target.encode() -> Array
    tabular.Target.actual() -> Array
    tabular.Target.decode() -> Array
    tabular.Target.labels() -> Array
    tabular.Target.outputs_of_mean() -> Array
    tabular.Target.averaged() -> Tensor
    tabular.Target.probabilities() -> Array
    tabular.baseline(data: Frame, model: TabularModel) -> dict[str, float]
    tabular.evaluate(data: Frame, model: TabularModel) -> dict[str, float]
    tabular.fit(data: Frame, target: str | Sequence[str] | None, validation: Any, recipe: str |
            Recipe, hidden: Sequence[int], progress: bool) -> Fitted
    tabular.given_split(train: Data, validation: Data) -> Split
    tabular.published_split() -> Split
    tabular.read(columns: Sequence[str]) -> Table
    tabular.read_batches(columns: Sequence[str]) -> Iterator[Table]
    tabular.split(table: Table, stratify: str | Data, groups: str | Data, time: str | Data,
            validation: float, test: float) -> Split
    tabular.Split(train: Array, validation: Array, test: Array)
    # estimators
    estimators(X: Any, y: Any, params: Any, hidden_layer_sizes: int | Sequence[int], hidden:
            Sequence[int], deep: bool, batch_size: int | str, schedule: str, loss: str, optimizer:
            str | Call)
    estimators.from_sklearn(mlp: Any) -> MLPClassifier | MLPRegressor
    estimators.to_sklearn(mlp: MLPClassifier | MLPRegressor) -> Any
    # export
    export(inputs: Any, targets: Data, module: Module, model: Module | TabularClassifier |
            TabularRegressor)
    export.Tracer(values: Any, x: Any)
    export.Tracer.__call__() -> Any
    export.Tracer.weight() -> Any
    export.Tracer.axis() -> int
    export.Tracer.refuse() -> NoReturn
    export.c(dtype: str) -> Exported
    export.numpy() -> ModuleType
    export.onnx() -> None
    export.load_torch() -> Any
    export.save_torch(obj: Mapping[str, Any]) -> None
    export.rule(classes: type[Module]) -> Callable[[_F], _F]
    # distributed
    distributed.DistributedDataParallel.loss(batch: Tensor, function: Call) -> Tensor
    distributed.DistributedDataParallel(module: Module)
    distributed.DistributedDataParallel.forward() -> Any
    distributed.all_reduce(op: ReduceOp) -> None
    distributed.broadcast(src: int) -> None
    distributed.broadcast_object_list(object_list: list[Any], src: int)
    # plot, testing
    plot(target: Data, weight: Data, metrics: Sequence[str], best: int, rows: int, bins: int, rates:
            Data | LearningRates, smoothed: Data, model: Module | Mapping[str, Any], found:
            Importance) -> Any
    testing.assert_close(msg: str | Call, actual: Any)
    testing.make_tensor(shape: Sizes, low: float, high: float) -> Tensor
    # other devices
    accelerator.current_accelerator() -> Any
    cuda.get_device_capability() -> tuple[int, int]
    cuda.get_rng_state_all() -> list[Any]
    cuda.mem_get_info() -> tuple[int, int]
""")

# the same of several
EDGES = "Tensors | GradientEdge | Sequence[Tensor | GradientEdge]"
for path, row in several(
    ("(dim: Dims)", """
        all amax amin aminmax any count_nonzero gradient logsumexp mean nanmean nansum norm
        squeeze std std_mean sum var var_mean nn.functional.normalize"""),
    ("(tensors: Tensors)", """
        cat column_stack dstack hstack multi_dot stack vstack"""),
    ("(tensors: Tensor | Sequence[Tensor]) -> Any", "atleast_1d atleast_2d atleast_3d"),
    ("(other: Tensor)", """
        cross expand_as inner is_same_size kron reshape_as type_as vdot view_as"""),
    ("(other: Tensor | Array | int)", """
        bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor gcd lcm"""),
    ("(input: Operand)", "float_power pow remainder special.xlog1py special.zeta xlogy"),
    ("(start: float | Tensor, end: float | Tensor)", "linspace logspace"),
    ("(source: Dims)", "moveaxis movedim"),
    ("(beta: Number)", "addbmm addmm addmv addr baddbmm"),
    ("(reduce: str)", "index_reduce scatter_reduce"),
    ("(size: Sequence[int])", "as_strided as_strided_scatter set_"),
    ("(stride: Sequence[int])", "set_"),
    ("(n: int | Tensor)", """
        special.chebyshev_polynomial_t special.chebyshev_polynomial_u
        special.chebyshev_polynomial_v special.chebyshev_polynomial_w
        special.hermite_polynomial_h special.hermite_polynomial_he
        special.laguerre_polynomial_l special.legendre_polynomial_p
        special.shifted_chebyshev_polynomial_t special.shifted_chebyshev_polynomial_u
        special.shifted_chebyshev_polynomial_v special.shifted_chebyshev_polynomial_w"""),
    ("(data: Any)", """
        BoolTensor ByteTensor CharTensor DoubleTensor FloatTensor IntTensor LongTensor
        ShortTensor UInt16Tensor UInt32Tensor UInt64Tensor"""),
    ("(momentum: float | None)", """
        nn.BatchNorm1d nn.BatchNorm2d nn.BatchNorm3d nn.LazyBatchNorm1d nn.SyncBatchNorm
        nn.functional.batch_norm"""),
    ("(running_mean: Tensor | None, running_var: Tensor | None)", "nn.functional.batch_norm"),
    (f"(outputs: {EDGES}, inputs: {EDGES})", "autograd.grad"),
    (f"(tensors: {EDGES}, inputs: {EDGES})", "autograd.backward"),
    ("(grad_outputs: Tensors | Sequence[Tensor | None])", "autograd.grad"),
    ("(grad_tensors: Tensors | Sequence[Tensor | None])", "autograd.backward"),
    ("() -> Self", """
        nn.Module.cpu nn.Module.double nn.Module.float nn.Module.to nn.Module.type"""),
).items():  # fmt: skip
    SPECIAL[path] = SPECIAL.get(path, {}) | row

# of attributes and properties, where they are not as the arguments of the constructor
ATTRIBUTES = special("""
    Tensor(device: device, dtype: dtype, grad_fn: Node | None, grad: Tensor | Any, data: Tensor,
            array: Array)
    Generator(device: device, state: Array)
    device(type: str, index: int | None)
    dtype(name: str, dtype: np.dtype[Any], kind: str)
    finfo(dtype: str, bits: int)
    iinfo(dtype: str, bits: int, max: int, min: int)
    nn(weight: Parameter, bias: Parameter, running_mean: Tensor | None, running_var: Tensor | None,
            num_batches_tracked: Tensor | None, scale: Parameter, r: Parameter, s: Parameter,
            frequencies: Parameter, phases: Parameter, padding: Any)
    nn.AnnealedDropout(count: Tensor)
    nn.BatchNorm2d(weight: Parameter, bias: Parameter, running_mean: Tensor | None, running_var:
            Tensor | None)
    nn.BatchNorm3d(weight: Parameter, bias: Parameter, running_mean: Tensor | None, running_var:
            Tensor | None)
    nn.SyncBatchNorm(weight: Parameter, bias: Parameter, running_mean: Tensor | None, running_var:
            Tensor | None)
    nn.Threshold(value: float)
    nn.Buffer(persistent: bool)
    nn.AdaptiveLogSoftmaxWithLoss(cutoffs: list[int])
    nn.Ensemble(models: ModuleList)
    nn.LinearBatchEnsemble(chunks: Sequence[int] | None)
    nn.LinearCrossEntropyLoss(weight: Tensor | None)
    nn.BCELoss(weight: Tensor | None)
    nn.BCEWithLogitsLoss(weight: Tensor | None)
    nn.CrossEntropyLoss(weight: Tensor | None)
    nn.NLLLoss(weight: Tensor | None)
    nn.MultiMarginLoss(weight: Tensor | None)
    nn.MultiLabelSoftMarginLoss(weight: Tensor | None)
    nn.ParametricActivation(alpha: Parameter)
    nn.PBLDEmbedding(linear: Module)
    nn.PeriodicEmbedding(linear: Module)
    nn.PiecewiseLinearEmbedding(pieces: Module, counts: list[int], low: Tensor, high: Tensor, left:
            Tensor, scale: Tensor)
    nn.PiecewiseLinearEncoding(counts: list[int], low: Tensor, high: Tensor, left: Tensor, scale:
            Tensor)
    nn.utils.prune(mask: Tensor)
    optim.Optimizer(state: Any)
    optim.lr_scheduler.ChainedScheduler(optimizer: Optimizer)
    optim.lr_scheduler.CyclicLR(base_momentums: list[float], max_momentums: list[float])
    optim.lr_scheduler.ReduceLROnPlateau(default_min_lr: float | None)
    autograd.detect_anomaly(inside: list[Any])
    autograd.Node(next_functions: tuple[Any, ...], inputs: Any)
    autograd.function.FunctionCtx(saved_tensors: tuple[Tensor, ...], needs_input_grad: tuple[bool,
            ...])
    autograd.forward_ad.UnpackedDualTensor(tangent: Tensor | None)
    func.Curvature(zero: float, negative: int)
    distributions(logits: Tensor, probs: Tensor, mean: Tensor, variance: Tensor, stddev: Tensor,
            mode: Tensor, loc: Tensor, scale: Tensor, concentration: Tensor, concentration0: Tensor,
            concentration1: Tensor, df: Tensor, scale_tril: Tensor, covariance_matrix: Tensor,
            precision_matrix: Tensor, temperature: Operand, cov_factor: Tensor, cov_diag: Tensor,
            concentration_reciprocal: Tensor, total_count: Tensor, df1: Tensor, df2: Tensor, low:
            Tensor, high: Tensor, rate: Tensor, alpha: Tensor, inv: Transform, sign: int | Tensor,
            is_discrete: bool, event_dim: int, lengths: list[int], transforms: list[Transform], dim:
            int)
    distributions.AffineTransform(loc: Operand, scale: Operand)
    distributions.Multinomial(total_count: int)
    distributions.CumulativeDistributionTransform(sign: int)
    data.DataLoader(collate_fn: Call)
    data.ConcatDataset(cumulative_sizes: list[int])
    data.TensorDataset(tensors: tuple[Tensor, ...])
    data.StackDataset(datasets: Any)
    utils.tensorboard(file_writer: FileWriter | None, log_dir: str)
    utils.data.DistributedSampler(total_size: int, num_replicas: int, rank: int)
    recording.Recorded(progress: Progress | None, diagnostics: Diagnostics | None)
    recording.Progress(losses: Tensor | None, batches: int)
    recording.Stats(kernels: list[KernelStats])
    train(epochs: int | None, columns: list[str], model: Any)
    train.EarlyStopping(mode: str, best: float | None)
    train.Snapshots(epochs: int, models: list[Module])
    train.Trial(value: float, epochs: int, trained: TrainedMember | None)
    train.Tuning(best: Trial)
    train.Member(words: Any, fitting: Any, options: dict[str, Any])
    train.ProgressBar(bar: Any)
    train.ReduceOnPlateau(schedule: Any)
    train.LearningRates(suggestion: float | None, rates: Array, losses: Array)
    train.Trained(failed: list[TrainedMember])
    train.TrainedMember(history: History | None, error: BaseException | None, state: State | None,
            predictor: Any, averaged: Any)
    train.Trainer(model: Module, predictor: Module, averaged: Any, stopped: str, callbacks: Any,
            metrics: Any, batches: int | None, steps: int, history: History)
    train.metrics(classes: Array, metric: Any, columns: Any)
    train.metrics.ConfusionMatrix(greater_is_better: bool | None)
    train.metrics.Metric(name: str | None, greater_is_better: bool | None)
    tabular(architecture: dict[str, Any], target: Target)
    tabular.Column(FIELDS: tuple[str, ...])
    tabular.Categories(table: Any, widths: list[int], columns: int, size: int)
    tabular.CategoryCodes(columns: int, coded: list[int], learned: list[int], widths: list[int],
            size: int)
    tabular.Fitted(task: str)
    tabular.Preprocessor(categories: dict[str, list[str]], features: list[Any], numbers: list[str],
            scale: str, sizes: list[int], values: int)
    tabular.Recipe(betas: tuple[float, float])
    tabular.Schema(columns: dict[str, Column], targets: dict[str, Column], inputs: list[Column])
    tabular.Split(how: str)
    tabular.Table(columns: dict[str, Array], rows: int, row_numbers: Array, names: list[str],
            formats: dict[str, str], notes: list[str])
    tabular.TabularEnsemble(members: list[TabularModel], models: ModuleList)
    tabular.TabularModel(categories: Any, numbers: Any, network: Any, members: list[TabularModel])
    tabular.Target(outputs: int, classes: Any, names: list[str], columns: list[Column], mean: Any,
            std: Any)
    estimators(n_features_in_: int, feature_names_in_: Array, networks_: list[Module], model_:
            TabularModel, fitted_: Fitted, best_validation_score_: float | None, validation_scores_:
            list[float] | None)
""")

# calls whose result depends on their arguments; a method's are its function's
OVERLOADS = {
    "max": (EXTREME := (
        "(input: Tensor, dim: Tensor | None = None, keepdim: bool = False, *,"
        " other: Operand | None = None, out: Tensor | None = None) -> Tensor",
        "(input: Tensor, dim: int, keepdim: bool = False, *, other: None = None,"
        " out: Sequence[Tensor] | None = None) -> _Extremes",
    )),
    "min": EXTREME,
    "median": (MIDDLE := (
        "(input: Tensor, dim: None = None, keepdim: bool = False, *, out: Tensor | None = None)"
        " -> Tensor",
        "(input: Tensor, dim: int, keepdim: bool = False, *, out: Sequence[Tensor] | None = None)"
        " -> _Extremes",
    )),
    "nanmedian": MIDDLE,
    "nonzero": (
        "(input: Tensor, *, as_tuple: Literal[False] = False, out: Tensor | None = None) -> Tensor",
        "(input: Tensor, *, as_tuple: Literal[True], out: None = None) -> tuple[Tensor, ...]",
    ),
    "Tensor.nonzero": (
        "(input, *, as_tuple: Literal[False] = False) -> Tensor",
        "(input, *, as_tuple: Literal[True]) -> tuple[Tensor, ...]",
    ),
    "unique": (
        "(input: Tensor, sorted: bool = True, return_inverse: Literal[False] = False,"
        " return_counts: Literal[False] = False, dim: int | None = None) -> Tensor",
        "(input: Tensor, sorted: bool = True, return_inverse: bool = False,"
        " return_counts: bool = False, dim: int | None = None) -> Any",
    ),
    "unique_consecutive": (
        "(input: Tensor, return_inverse: Literal[False] = False,"
        " return_counts: Literal[False] = False, dim: int | None = None) -> Tensor",
        "(input: Tensor, return_inverse: bool = False, return_counts: bool = False,"
        " dim: int | None = None) -> Any",
    ),
    "where": (
        "(condition: Tensor, input: None = None, other: None = None) -> tuple[Tensor, ...]",
        "(condition: Tensor, input: Operand, other: Operand, *, out: Tensor | None = None)"
        " -> Tensor",
    ),
    "show_config": (
        """(mode: Literal["dicts"]) -> dict[str, Any]""",
        """(mode: str = "stdout") -> None""",
    ),
    "Tensor.size": ("(self, dim: None = None) -> Size", "(self, dim: int) -> int"),
    "Tensor.stride": ("(self, dim: None = None) -> tuple[int, ...]", "(self, dim: int) -> int"),
    "Tensor.type": (
        "(self, dtype: None = None, non_blocking: bool = False) -> str",
        "(self, dtype: DType, non_blocking: bool = False) -> Tensor",
    ),
    "Size.__getitem__": (
        "(self, index: SupportsIndex, /) -> int",
        "(self, index: slice, /) -> Size",
    ),
    "nn.Sequential.__getitem__": ("(self, key: int) -> Any", "(self, key: slice) -> Sequential"),
    "nn.ModuleList.__getitem__": ("(self, key: int) -> Any", "(self, key: slice) -> ModuleList"),
    "func.loss_hessian": (
        "(model: Module, loss: Call, x: Any, y: Any, *, by_layer: Literal[False] = False)"
        " -> Tensor",
        "(model: Module, loss: Call, x: Any, y: Any, *, by_layer: bool = False) -> Any",
    ),
    "optim.Optimizer.step": (STEP := (
        "(self, closure: None = None) -> None",
        "(self, closure: Callable[[], _T]) -> _T",
    )),
    "optim.Adafactor.step": STEP,
    "optim.Muon.step": STEP,
    "recording.record": (RECORD := (
        """(function: Callable[_P, _R], *, unrecordable: str = "error") -> Recorded[_P, _R]""",
        """(function: None = None, *, unrecordable: str = "error")"""
        " -> Callable[[Callable[_P, _R]], Recorded[_P, _R]]",
    )),
    "record": RECORD,
}  # fmt: skip

# what no row makes; a type stands between backticks
HAND = {
    **{f"dtype.__{name}__": "" for name in ["new", "lt", "le", "gt", "ge"]},
    "dtype.__getattr__": "def __getattr__(self, name: `str`) -> `Any`: ...",
    "autocast.__call__": "def __call__(self, function: `_F`) -> `_F`: ...",
    "no_grad": (
        MODE := """
class {}:
    def __init__(self, orig_func: `Call | None` = None) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *exc: `object`) -> None: ...
    def __call__(self, function: `_F`) -> `_F`: ...
"""
    ).format("no_grad"),
    "enable_grad": MODE.format("enable_grad"),
    "set_grad_enabled": """
class set_grad_enabled:
    def __init__(self, mode: `bool`) -> None: ...
    def __enter__(self) -> `Self`: ...
    def __exit__(self, *exc: `object`) -> None: ...
    def __call__(self, function: `_F`) -> `_F`: ...
""",
    "autograd.inference_mode": "from pyml import inference_mode as inference_mode",
    "inference_mode": """
@`overload`
def inference_mode(mode: `bool` = True) -> `no_grad`: ...
@`overload`
def inference_mode(mode: `_F`) -> `_F`: ...
""",
    "estimators.MLPClassifier.partial_fit": (
        "def partial_fit(self, X: `Any`, y: `Any`, sample_weight: `Data | None` = None,"
        " classes: `Data | None` = None) -> `Self`: ..."
    ),
    "estimators.MLPRegressor.partial_fit": (
        "def partial_fit(self, X: `Any`, y: `Any`, sample_weight: `Data | None` = None) -> `Self`:"
        " ..."
    ),
    "nn.Module.forward": "forward: `Callable[..., Any]`",  # of any arguments
    "nn.Module.__call__": "def __call__(self, *args: `Any`, **kwargs: `Any`) -> `Any`: ...",
    "recording.Recorded.__call__": (
        "def __call__(self, *args: `_P.args`, **kwargs: `_P.kwargs`) -> `_R`: ..."
    ),
    "recording.Recorded.__new__": "",
    "memory.Arena.__new__": "",
    "memory.Block.__new__": "",
    "distributed.ReduceOp": """
class ReduceOp(`Enum`):
    SUM = "sum"
    PRODUCT = "product"
    MIN = "min"
    MAX = "max"
    AVG = "avg"
""",
    "distributions.constraints.dependent": "dependent: `Any`",
    "distributions.utils.lazy_property": """
class lazy_property:
    wrapped: `Call`
    def __init__(self, wrapped: `Call`) -> None: ...
    def __get__(self, instance: `Any`, owner: `Any` = None) -> `Any`: ...
""",
    "distributions.constraints.dependent_property": """
class dependent_property(`property`, `Constraint`):
    @`property`
    def is_discrete(self) -> `Any`: ...
    @`property`
    def event_dim(self) -> `Any`: ...
    def __init__(
        self, fn: `Call | None` = None, *, is_discrete: `Any` = ..., event_dim: `Any` = ...
    ) -> None: ...
    def __call__(self, fn: `Call`) -> `dependent_property`: ...
    def check(self, value: `Tensor`) -> `Tensor`: ...
""",
}

BASES = {
    "data.Dataset": "Generic[_T_co]",
    "data.IterableDataset": "Dataset[_T_co]",
    "data.ConcatDataset": "Dataset[_T_co]",
    "data.ChainDataset": "IterableDataset[Any]",
    "data.StackDataset": "Dataset[Any]",
    "data.Subset": "Dataset[_T_co]",
    "data.TensorDataset": "Dataset[tuple[Tensor, ...]]",
    "data.DataLoader": "Generic[_T]",
    "data.Sampler": "Generic[_T_co]",
    "data.RandomSampler": "Sampler[int]",
    "data.SequentialSampler": "Sampler[int]",
    "data.SubsetRandomSampler": "Sampler[int]",
    "data.WeightedRandomSampler": "Sampler[int]",
    "data.BatchSampler": "Sampler[list[int]]",
    "utils.data.DistributedSampler": "Sampler[int]",
    "recording.Recorded": "Generic[_P, _R]",
    "Size": "tuple[int, ...]",
    "recording.Diagnostics": "dict[str, Any]",
    "train.Epoch": "dict[str, Any]",
    "train.History": "list[Epoch]",
    "train.Trained": "tuple[TrainedMember, ...]",
    "train.Tuning": "tuple[Trial, ...]",
}


def named_tuple(name, fields):
    return "\n".join(
        [f"class {name}(`NamedTuple`):", *(f"    {f}: `Tensor`" for f in fields.split())]
    )


# classes of what calls return, which no module exports
UNEXPORTED = {
    "pyml": {
        "_HookHandle": """
class _HookHandle:
    def remove(self) -> None: ...
    def __enter__(self) -> `Self`: ...
    def __exit__(self, *exc: `object`) -> None: ...
""",
        **{
            f"_{name}": named_tuple(f"_{name}", fields)
            for name, fields in {
                "Extremes": "values indices",
                "aminmax": "min max",
                "frexp": "mantissa exponent",
                "slogdet": "sign logabsdet",
                "histogram": "hist bin_edges",
                "lu": "P L U",
                "lu_factor": "LU pivots",
                "lu_factor_ex": "LU pivots info",
                "lstsq": "solution residuals rank singular_values",
                "eigh": "eigenvalues eigenvectors",
                "qr": "Q R",
                "svd": "U S V",
                "linalg_svd": "U S Vh",
                "cholesky_ex": "L info",
                "inv_ex": "inverse info",
                "solve_ex": "result info",
                "triangular_solve": "solution cloned_coefficient",
            }.items()
        },
    },
    "nn": {
        "_IncompatibleKeys": """
class _IncompatibleKeys(`NamedTuple`):
    missing_keys: `list[str]`
    unexpected_keys: `list[str]`
""",
    },
}

HIDDEN = (
    "partial_fit_",
    "set_fit_request",
    "set_partial_fit_request",
    "set_score_request",
    "__slots__",
)

ARITHMETIC = "(self, other: Operand, /) -> Tensor"
IN_PLACE = "(self, other: Operand, /) -> Self"
BITS = "(self, other: Tensor | Array | int, /) -> Tensor"
BITS_IN_PLACE = "(self, other: Tensor | Array | int, /) -> Self"
OPERATORS = "add sub mul truediv floordiv mod"
OF_BITS = "and or xor lshift rshift"
DUNDERS = {
    **{f"__{side}{name}__": ARITHMETIC for name in OPERATORS.split() for side in ("", "r")},
    **{f"__i{name}__": IN_PLACE for name in OPERATORS.split()},
    **{f"__{side}{name}__": BITS for name in OF_BITS.split() for side in ("", "r")},
    **{f"__i{name}__": BITS_IN_PLACE for name in OF_BITS.split()},
    **{f"__{name}__": ARITHMETIC for name in ("lt", "le", "gt", "ge")},
    **{f"__{name}__": "(self) -> Tensor" for name in ("neg", "pos", "abs", "invert")},
    "__matmul__": "(self, other: Tensor, /) -> Tensor",
    "__rmatmul__": "(self, other: Tensor, /) -> Tensor",
    "__pow__": "(self, other: Operand, mod: None = None, /) -> Tensor",
    "__rpow__": "(self, other: Operand, mod: None = None, /) -> Tensor",
    "__ipow__": "(self, other: Operand, mod: None = None, /) -> Self",
    # of all objects a bool; of a Tensor and what it can be compared with a Tensor
    "__eq__": "(self, other: Any, /) -> Tensor",
    "__ne__": "(self, other: Any, /) -> Tensor",
    "__hash__": "(self) -> int",
    "__getitem__": "(self, index: Index, /) -> Tensor",
    "__setitem__": "(self, index: Index, value: Operand, /) -> None",
    "__delitem__": "(self, index: Index, /) -> None",
    "__contains__": "(self, value: Operand, /) -> bool",
    "__iter__": "(self) -> Iterator[Tensor]",
    "__len__": "(self) -> int",
    "__bool__": "(self) -> bool",
    "__float__": "(self) -> float",
    "__int__": "(self) -> int",
    "__index__": "(self) -> int",
}
SPECIAL_NAMES = set(
    """
    __init__ __new__ __call__ __getitem__ __setitem__ __delitem__ __len__ __iter__
    __next__ __contains__ __enter__ __exit__ __add__ __radd__ __sub__ __rsub__ __mul__
    __rmul__ __truediv__ __rtruediv__ __pow__ __rpow__ __matmul__ __rmatmul__ __floordiv__
    __rfloordiv__ __mod__ __rmod__ __iadd__ __isub__ __imul__ __itruediv__ __ifloordiv__
    __imod__ __ipow__ __iand__ __ior__ __ixor__ __ilshift__ __irshift__ __lshift__ __rlshift__
    __rshift__ __rrshift__ __neg__ __pos__
    __abs__ __invert__ __lt__ __le__ __gt__ __ge__ __and__ __or__ __xor__ __rand__ __ror__
    __rxor__ __array__ __array_wrap__ __float__ __int__ __index__ __bool__ __format__
    __deepcopy__ __eq__ __ne__ __hash__ __reversed__ __getitems__ __copy__ __getattr__
    __array_priority__
    __arrow_c_array__ __dlpack__ __dlpack_device__
    """.split()
)

# what stubtest says and may: regular expressions of names
ALLOWED = (
    r".*\.__all__",  # longer than all types, and the same: a test compares the names
    r"pyml\.\w+Tensor",  # classes of a class of their own, which makes tensors
    r"pyml\.autograd\.Variable",  # the same
    r"pyml\.(Tensor|dtype|set_grad_enabled|autograd\.Node)",  # of C
    r"pyml\.(memory\.(Arena|Block)(\.__new__)?|recording\.Recorded)",
    r"pyml\.memory\.__\w+__",
    r"pyml\.(dtype|recording\.Recorded)\.__init__",  # C takes any arguments before it is asked
    r"pyml\.Tensor\.__(ipow|rlshift|rrshift)__",  # Cython's signature, and its slots
    r"pyml\.nn\.Module\.__(new|signature)__",
    r"pyml\.nn\..*\.__call__",  # the arguments of forward
    r"pyml\.nn\.utils\.prune\.\w+(\.compute_mask)?",  # abstract
    r"pyml\.estimators\.\w+\.(set_\w+_request|__sklearn_tags__)",  # scikit-learn's
    r"pyml\.train\.(Trained|Tuning)",  # tuples that have a __dict__: a base as C's, says CPython
    r"pyml\.\w+\.\w+\.__(match_args|post_init)__",  # of dataclasses
)
